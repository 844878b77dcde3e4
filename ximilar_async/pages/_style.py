"""The look of every page: one style sheet, without any address in it."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --well: #f8f8f7; --line: #e3e6ea;
  --ink: #14181f; --soft: #5d6673; --accent: #2f5bea; --on-accent: #ffffff;
  --good: #157347; --warn: #9a5b00; --bad: #b3261e;
  --shadow: 0 1px 2px rgb(16 24 40 / 6%), 0 4px 14px rgb(16 24 40 / 5%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1216; --card: #181c22; --well: #f3f3f2; --line: #2a3039;
    --ink: #eceff4; --soft: #9aa5b4; --accent: #8fabff; --on-accent: #0f1216;
    --good: #5fcf95; --warn: #f0b35a; --bad: #ff8a80;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%);
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { margin: 0; font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; }
h2 { margin: 0 0 4px; font-size: 20px; letter-spacing: -0.01em; }
p { margin: 4px 0 0; color: var(--soft); max-width: 75ch; }
section { margin-top: 44px; }
.facts { display: grid; gap: 12px; margin: 24px 0 0; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); }
.fact { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 12px 16px; box-shadow: var(--shadow); }
.fact dt { color: var(--soft); font-size: 13px; }
.fact dd { margin: 0; font-size: 24px; font-weight: 650; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.fact a { color: inherit; text-decoration: underline; text-decoration-thickness: 1px;
  text-underline-offset: 4px; text-decoration-color: var(--line); }
.fact a:hover { text-decoration-color: currentcolor; }
.good dd { color: var(--good); } .warn dd { color: var(--warn); } .bad dd { color: var(--bad); }
.grid { display: grid; gap: 16px; margin-top: 16px;
  grid-template-columns: repeat(auto-fill, minmax(184px, 1fr)); }
.pairs { display: grid; gap: 16px; margin-top: 16px;
  grid-template-columns: repeat(auto-fill, minmax(370px, 1fr)); }
.search { display: grid; gap: 32px; grid-template-columns: 300px minmax(0, 1fr);
  align-items: start; }
.search > div, .search > section { margin-top: 0; min-width: 0; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 16px;
  overflow: hidden; box-shadow: var(--shadow); display: flex; flex-direction: column; }
.well { position: relative; aspect-ratio: 1; background: var(--well); display: grid;
  place-items: center; overflow: hidden; }
.well img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain;
  color: #5d6673; font-size: 13px; overflow-wrap: anywhere; }
.none { padding: 14px; text-align: center; color: #5d6673; font-size: 13px; width: 100%; }
.none b { display: block; color: #3c4350; font-weight: 600; }
.none a, .none span { overflow-wrap: anywhere; color: inherit; }
.badge { position: absolute; top: 10px; left: 10px; padding: 2px 9px; border-radius: 99px;
  background: rgb(20 24 31 / 82%); color: #fff; font-size: 12.5px; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.mark { left: auto; right: 10px; background: #2f5bea; }
figcaption { padding: 12px 14px 14px; min-width: 0; }
figcaption strong { display: block; font-weight: 600; line-height: 1.35; overflow-wrap: anywhere; }
figcaption span { display: block; color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.query figure { outline: 2px solid var(--accent); outline-offset: -1px; }
.query { position: sticky; top: 24px; }
.pair { display: grid; grid-template-columns: 1fr 1fr; position: relative; }
.pair figure { border-radius: 16px 0 0 16px; }
.pair figure + figure { border-radius: 0 16px 16px 0; border-left: 0; }
.apart { position: absolute; left: 50%; top: 12px; transform: translateX(-50%); z-index: 1;
  padding: 3px 11px; border-radius: 99px; background: var(--accent); color: var(--on-accent);
  font-size: 12.5px; font-weight: 650; font-variant-numeric: tabular-nums; white-space: nowrap; }
.scroll { overflow-x: auto; margin-top: 16px; background: var(--card); border-radius: 16px;
  border: 1px solid var(--line); box-shadow: var(--shadow); }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: 13px; white-space: nowrap; }
th, td { padding: 9px 16px; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; }
td { overflow-wrap: anywhere; min-width: 6.5em; }
td.picture, td.number { min-width: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.long { max-height: 620px; overflow-y: auto; }
.long thead th { position: sticky; top: 0; background: var(--card); }
.empty { padding: 22px; border: 1px dashed var(--line); border-radius: 16px; margin-top: 16px;
  color: var(--soft); text-align: center; max-width: none; }
.verdict { margin-top: 18px; padding: 12px 16px; border-radius: 14px; max-width: none;
  border: 1px solid var(--line); border-left: 5px solid var(--soft); background: var(--card);
  color: var(--ink); font-weight: 600; overflow-wrap: anywhere; }
.verdict.good { border-left-color: var(--good); }
.verdict.warn { border-left-color: var(--warn); }
.verdict.bad { border-left-color: var(--bad); }
.bars { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 8px 16px;
  margin: 16px 0 0; align-items: center; }
.bars dt { color: var(--soft); }
.bars dd { margin: 0; display: flex; align-items: center; gap: 12px; min-width: 0; }
.bars b { font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap;
  min-width: 7.5em; }
.bar { flex: 1; height: 14px; border-radius: 7px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; border-radius: 7px; background: var(--accent); }
.bar i.good { background: var(--good); } .bar i.warn { background: var(--warn); }
.bar i.bad { background: var(--bad); } .bar i.soft { background: var(--soft); }
.charts { display: grid; gap: 16px; margin-top: 16px; }
.chart { padding: 14px 16px; }
.chart figcaption { padding: 0 0 8px; display: flex; flex-wrap: wrap; gap: 2px 16px; }
.chart figcaption strong { flex: 1; min-width: 12ch; }
.chart .key { display: inline-flex; align-items: center; gap: 6px; }
.key::before { content: ""; width: 14px; height: 3px; border-radius: 2px;
  background: var(--accent); }
.key.good::before { background: var(--good); } .key.warn::before { background: var(--warn); }
.key.bad::before { background: var(--bad); } .key.soft::before { background: var(--soft); }
.plot { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 8px; }
.plot svg { width: 100%; height: 150px; display: block; overflow: visible; }
.ys, .xs { display: flex; justify-content: space-between; color: var(--soft); font-size: 12px;
  font-variant-numeric: tabular-nums; }
.ys { flex-direction: column; text-align: right; line-height: 1; min-width: 7ch; }
.xs { grid-column: 2; }
svg path { fill: none; stroke: var(--accent); stroke-width: 1.8; vector-effect: non-scaling-stroke;
  stroke-linejoin: round; }
svg .good { stroke: var(--good); } svg .warn { stroke: var(--warn); }
svg .bad { stroke: var(--bad); } svg .soft { stroke: var(--soft); }
svg .rule { stroke: var(--line); stroke-width: 1; }
svg .below { stroke: none; fill: var(--accent); opacity: .14; }
svg .shade { stroke: none; fill: var(--warn); opacity: .22; }
svg .shade.bad { fill: var(--bad); }
svg .hint { fill: transparent; }
svg .hint:hover { fill: var(--ink); opacity: .08; }
.steps { list-style: none; counter-reset: step; margin: 16px 0 0; padding: 0; display: grid;
  gap: 18px; }
.steps li { counter-increment: step; position: relative; padding-left: 40px; min-width: 0; }
.steps li::before { content: counter(step); position: absolute; left: 0; top: 2px; width: 26px;
  height: 26px; border-radius: 50%; background: var(--accent); color: var(--on-accent);
  font-size: 13px; font-weight: 650; line-height: 26px; text-align: center; }
.steps li:only-child { padding-left: 0; }
.steps li:only-child::before { content: none; }
.steps p { color: var(--ink); }
pre { margin: 8px 0 0; padding: 12px 16px; border-radius: 12px; background: var(--card);
  border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  user-select: all; }
td.picture { width: 84px; } td.picture:empty { padding: 0; }
td.picture a { font-size: 12px; color: var(--soft); }
.compared td.picture { width: 128px; padding-right: 0; }
.compared td.picture img { max-width: 112px; max-height: 112px; }
td.picture img { display: block; max-width: 72px; max-height: 72px; border-radius: 6px;
  background: var(--well); }
footer { margin-top: 56px; padding-bottom: 40px; color: var(--soft); font-size: 13px; }
@media (max-width: 900px) {
  .search { grid-template-columns: 1fr; }
  .query { position: static; max-width: 340px; }
}
@media (max-width: 480px) {
  main, header, footer { padding-left: 14px; padding-right: 14px; }
  .grid { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 10px; }
  .pairs { grid-template-columns: minmax(0, 1fr); }
  .facts { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px; }
  .fact { padding: 8px 10px; border-radius: 10px; }
  .fact dt { font-size: 12px; line-height: 1.3; } .fact dd { font-size: 19px; }
  .bars { grid-template-columns: minmax(0, 1fr); gap: 2px; }
  .bars dd { margin-bottom: 8px; }
  .bars b { min-width: 6em; text-align: right; }
  .stacked thead { display: none; }
  .stacked tr { display: block; padding: 10px 14px; border-top: 1px solid var(--line); }
  .stacked tr:first-child { border-top: 0; }
  .stacked td { display: block; padding: 1px 0; border: 0; width: auto; }
  .stacked td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); }
  .stacked td.picture { display: inline-block; padding: 4px 8px 4px 0; vertical-align: middle; }
  .stacked td.number { text-align: left; }
}
@media print {
  body { background: #fff; }
  figure, .fact, .scroll { box-shadow: none; break-inside: avoid; }
  .query { position: static; }
  .long { max-height: none; }
}
"""
