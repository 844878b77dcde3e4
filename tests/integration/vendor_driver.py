"""Drives the vendor's own client; runs in an environment of its own and prints what came back.

Usage: vendor_driver.py BASE_URL FOLDER, with images 0.jpg … 9.jpg and query.jpg in the folder.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from ximilar.client import SimilarityFashionClient, SimilarityPhotosClient
from ximilar.client.search import SimilarityPhotosOldClient

COUNT = 10


def photos(base: str, folder: Path) -> dict[str, Any]:
    """Call every method of the client for photos."""
    client = SimilarityPhotosClient("token", "photos", endpoint=f"{base}/similarity/photos/v2/")
    files = [
        {"_id": str(number), "_file": str(folder / f"{number}.jpg"), "price": number}
        for number in range(COUNT)
    ]
    query = {"_file": str(folder / "query.jpg")}
    encoded = base64.b64encode((folder / "query.jpg").read_bytes()).decode()
    done: dict[str, Any] = {}
    done["ping"] = client.ping()
    done["insert"] = client.insert(files)
    done["insert again"] = client.insert(files[:1])
    done["get"] = client.get_records([{"_id": "3"}, {"_id": "gone"}], fields_to_return=["*"])
    done["search by image"] = client.search(query, k=3, fields_to_return=["_id", "price"])
    done["search by base64"] = client.search({"_base64": encoded, "noresize": True}, k=3)
    done["search by id"] = client.search({"_id": "4"}, filter={"price": {"$gte": 5}}, k=2)
    done["random"] = client.random(filter={"price": {"$lt": 3}}, count=5)
    done["update"] = client.update([{"_id": "2", "colour": "red", "price": None}])
    done["all records"] = client.get_all_ids(fields=["price"], filterf={"price": {"$gt": 6}})
    done["pages"] = [client.allRecords(size=4, page=page) for page in (1, 2, 3)]
    done["iterated"] = [record["_id"] for record in client.all_records_iter(batch_size=3)]
    done["rank"] = client.search_and_rank(
        query, [{"_id": "1"}, {"_file": str(folder / "query.jpg")}, {"_id": "gone"}]
    )
    done["remove"] = client.remove([{"_id": "0"}, {"_id": "1"}])
    done["left"] = client.allRecords(size=0)
    return done


def in_parallel(base: str) -> dict[str, Any]:
    """Insert many records by the client's own threads, ten a request."""
    client = SimilarityPhotosOldClient("token", "many", endpoint=f"{base}/photo/search/v2/")
    records = [{"_id": str(n), "_url": f"https://shop.example/{n}.jpg"} for n in range(105)]
    results = client.parallel_records_processing(
        records, method=client.insert, max_workers=3, batch_size=10
    )
    return {"results": results, "all": client.get_all_ids()["answer_count"]}


def fashion(base: str) -> dict[str, Any]:
    """Insert with Fashion's own options, and search by tags."""
    client = SimilarityFashionClient(
        "token", "fashion", endpoint=f"{base}/similarity/fashion-new/v2/"
    )
    records = [
        {"_id": tag, "_url": f"https://shop.example/{tag}.jpg", "_tags_simple": [tag]}
        for tag in ("dress", "boot")
    ]
    inserted = client.insert(records, extract_colors=True)
    query = {"_url": "https://shop.example/other.jpg", "_tags_simple": ["boot"]}
    return {"insert": inserted, "search": client.search(query)}


def main() -> None:
    """Run all and print the results as JSON."""
    base, folder = sys.argv[1], Path(sys.argv[2])
    results = {"photos": photos(base, folder), "many": in_parallel(base), "fashion": fashion(base)}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main()
