"""The vendor's client, used as its page on the package index says; in its own environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ximilar.client import SimilarityPhotosClient

from . import BATCH, COLLECTION, TOKEN, plainly

if TYPE_CHECKING:
    from . import Load, Meter, Record


def insert(load: Load, meter: Meter) -> None:
    """Insert by `parallel_records_processing`, batches of 10; it reads image files by itself."""
    if load.bundle is not None:
        os.environ["REQUESTS_CA_BUNDLE"] = load.bundle
    # Without a resource's name it does not ask the real service whether the token may use it.
    client = SimilarityPhotosClient(TOKEN, COLLECTION, f"{load.endpoint}/", resource_name="")

    if load.kind == "bytes":
        client.max_image_size = 0  # else it decodes what it is given and encodes it anew

    def encode_and_insert(records: list[Record]) -> Record:
        answer: Record = client.insert([plainly(record) for record in records])
        return answer

    method = encode_and_insert if load.kind == "bytes" else client.insert

    def send(records: list[Record]) -> None:
        results = client.parallel_records_processing(
            records, method=method, max_workers=load.workers, batch_size=BATCH
        )
        sent = sum(len(result["answer_records"]) for result in results)
        if sent != len(records):
            raise SystemExit(f"the vendor's client sent {sent} of {len(records)} records")

    send(load.records(load.warm))
    for records in meter.turns(load):
        with meter:
            send(records)
