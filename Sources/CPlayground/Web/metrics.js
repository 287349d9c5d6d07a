// The server's metrics as they are now: Prometheus' text, read into a few numbers with a line of the last minutes.
import { el, fill } from './dom.js';

/** The sum of a family over all its series. */
function sum(text, name) {
  let total = null;
  for (const line of text.split('\n')) {
    if (!line.startsWith(name)) continue;
    const next = line[name.length];
    if (next !== '{' && next !== ' ') continue;
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (Number.isFinite(value)) total = (total ?? 0) + value;
  }
  return total;
}

const rate = (name) => (text, last, passed) => {
  const value = sum(text, name);
  const before = last && sum(last, name);
  return value === null || before === null || !passed ? 0 : Math.max(0, (value - before) / passed);
};

// `vllm_omni:` counts requests of every kind, `vllm:` those for text once more.
const tiles = [
  { name: 'Running', unit: 'requests', read: (text) => sum(text, 'vllm_omni:num_requests_running') ?? 0 },
  { name: 'Waiting', unit: 'requests', read: (text) => sum(text, 'vllm_omni:num_requests_waiting') ?? 0 },
  { name: 'Written', unit: 'tokens/s', read: rate('vllm:generation_tokens_total'), digits: 0 },
  { name: 'Read', unit: 'prompt tokens/s', read: rate('vllm:prompt_tokens_total'), digits: 0 },
  { name: 'Answered', unit: 'HTTP requests/s', read: rate('http_requests_total'), digits: 1 },
];

/** Draws the tiles into `place`; `add` takes the next reading. */
export function board(place) {
  const space = 'http://www.w3.org/2000/svg';
  const shown = tiles.map((tile) => {
    const value = el('span', { class: 'value' }, '–');
    const line = document.createElementNS(space, 'polyline');
    const svg = document.createElementNS(space, 'svg');
    svg.setAttribute('viewBox', '0 0 100 36');
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(line);
    return { ...tile, value, line, past: [], node: el('div', { class: 'card tile' }, el('span', { class: 'small muted' }, tile.name), value, el('span', { class: 'small muted' }, tile.unit), svg) };
  });
  fill(place, shown.map((tile) => tile.node));
  let last = null;
  let when = 0;
  return function add(text) {
    const now = performance.now();
    for (const tile of shown) {
      const value = tile.read(text, last, (now - when) / 1000);
      tile.value.textContent = value.toLocaleString('en-GB', { maximumFractionDigits: tile.digits ?? 0 });
      tile.past.push(value);
      if (tile.past.length > 60) tile.past.shift();
      const top = Math.max(1, ...tile.past);
      tile.line.setAttribute('points', tile.past.map((point, index) => `${(index + 60 - tile.past.length) / 59 * 100},${34 - point / top * 30}`).join(' '));
    }
    [last, when] = [text, now];
  };
}
