/** Bar chart of the results for the README: an SVG for light and dark pages. */
import { OURS } from './cases.ts';
import { type CaseResult, median } from './results.ts';

const WIDTH = 760;
const LABELS = 300;
const FIGURE_WIDTH = 50;
const BAR = 11;
const GAP = 12;
const TOP = 62;

/** Colours that keep their contrast on white and on black. */
const COLOURS = new Map([
  [OURS, '#2f81f7'],
  ['sockjs', '#d29922'],
  ['socket.io', '#8b949e'],
]);

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

function peersOf(result: CaseResult): string[] {
  return [...COLOURS.keys()].filter((peer) => result.has(peer));
}

function legend(): string {
  return [...COLOURS]
    .map(([peer, colour], index) => {
      const x = LABELS + index * 120;
      return `<rect x="${x}" y="30" width="11" height="11" rx="2" fill="${colour}"/><text x="${x + 17}" y="40">${peer}</text>`;
    })
    .join('\n');
}

function bars(result: CaseResult, top: number, perUnit: number): string {
  const peers = peersOf(result);
  const middle = top + (peers.length * BAR) / 2 + 4;
  const label = `<text x="${LABELS - 12}" y="${middle}" text-anchor="end">${escape(result.tested.title)}</text>`;
  const drawn = peers.map((peer, index) => {
    const value = median(result.ratios(peer));
    const y = top + index * BAR;
    const width = (value * perUnit).toFixed(1);
    return (
      `<rect x="${LABELS}" y="${y}" width="${width}" height="${BAR - 2}" rx="2" fill="${COLOURS.get(peer) ?? ''}"/>` +
      `<text class="figure" x="${(LABELS + value * perUnit + 5).toFixed(1)}" y="${y + 8.5}">${value.toFixed(2)}</text>`
    );
  });
  return [label, ...drawn].join('\n');
}

/** Ratios to the bare server of each case. */
export function drawPicture(results: readonly CaseResult[]): string {
  const largest = Math.max(
    ...results.flatMap((result) => peersOf(result).map((peer) => median(result.ratios(peer)))),
  );
  const perUnit = (WIDTH - LABELS - FIGURE_WIDTH) / largest;
  let top = TOP;
  const groups = results.map((result) => {
    const group = bars(result, top, perUnit);
    top += peersOf(result).length * BAR + GAP;
    return group;
  });
  const one = LABELS + perUnit;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img">
<title>CPU time per message and memory per session, as ratios to a bare server; shorter is better</title>
<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.figure { font-size: 10px; }
line { stroke: #57606a; stroke-dasharray: 3 3; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } line { stroke: #9198a1; } }
</style>
<text x="${LABELS}" y="16">Cost as a ratio to a bare server (ws or node:http); shorter is better</text>
${legend()}
<line x1="${one.toFixed(1)}" x2="${one.toFixed(1)}" y1="${TOP - 8}" y2="${top - GAP + 4}"/>
${groups.join('\n')}
</svg>
`;
}
