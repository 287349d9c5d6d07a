// A little Markdown as elements. Whatever a model writes becomes text nodes: there is no way for it to become HTML.
import { el } from './dom.js';

const marks = [
  [/^`([^`]+)`/, (match) => el('code', {}, match[1])],
  [/^\*\*(?=\S)([\s\S]*?\S)\*\*/, (match) => el('strong', {}, ...inline(match[1]))],
  [/^__(?=\S)([\s\S]*?\S)__/, (match) => el('strong', {}, ...inline(match[1]))],
  [/^\*(?=\S)([^*\n]*?\S)\*/, (match) => el('em', {}, ...inline(match[1]))],
  [/^\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)/, (match) => el('a', { href: match[2], target: '_blank', rel: 'noopener noreferrer nofollow' }, match[1])],
];

function inline(text) {
  const nodes = [];
  let plain = '';
  for (let place = 0; place < text.length;) {
    const rest = '`*_['.includes(text[place]) ? text.slice(place) : '';
    // In the middle of a word or a number, a star is a star.
    const isWithin = /^\*[^*]/.test(rest) && /[\p{L}\p{N}]$/u.test(text.slice(0, place));
    const found = rest && !isWithin && marks.map(([pattern, make]) => [rest.match(pattern), make]).find(([match]) => match);
    if (!found) { plain += text[place]; place += 1; continue; }
    if (plain) nodes.push(plain);
    plain = '';
    nodes.push(found[1](found[0]));
    place += found[0][0].length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

const bullet = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(.*)$/s;

/** The list that begins in line `start`, with those inside it; and the line behind it. */
function list(lines, start) {
  const [, indent, number] = lines[start].match(bullet);
  const node = el(number ? 'ol' : 'ul', number ? { start: Number(number) } : {});
  let place = start;
  for (let found; place < lines.length && (found = lines[place].match(bullet));) {
    const deeper = found[1].length - indent.length;
    if (deeper > 1 && node.lastChild) {
      const inner = list(lines, place);
      node.lastChild.append(inner.node);
      place = inner.place;
      continue;
    }
    if (deeper < 0 || Boolean(found[2]) !== Boolean(number)) break;
    node.append(el('li', {}, ...inline(found[3])));
    place += 1;
  }
  return { node, place };
}

/** `text` as a list of block elements. */
export function blocks(text) {
  const lines = text.replace(/\r/g, '').split('\n');
  const out = [];
  for (let place = 0; place < lines.length;) {
    const line = lines[place];
    const fence = line.match(/^\s*```\s*(\S*)/);
    if (fence) {
      const code = [];
      for (place += 1; place < lines.length && !/^\s*```/.test(lines[place]); place += 1) code.push(lines[place]);
      place += 1;
      out.push(el('pre', { class: 'block', tabIndex: 0 }, el('code', {}, code.join('\n'))));
      continue;
    }
    const heading = line.match(/^(#{1,4})\s+(.*)$/s);
    if (heading) { out.push(el('h3', {}, ...inline(heading[2]))); place += 1; continue; }
    if (bullet.test(line)) {
      const found = list(lines, place);
      out.push(found.node);
      place = found.place;
      continue;
    }
    if (/^\s*>/.test(line)) {
      const quoted = [];
      for (; place < lines.length && /^\s*>/.test(lines[place]); place += 1) quoted.push(lines[place].replace(/^\s*>\s?/, ''));
      out.push(el('blockquote', {}, ...inline(quoted.join('\n'))));
      continue;
    }
    if (!line.trim()) { place += 1; continue; }
    // The first line is taken whatever it is, so that this always comes to an end.
    const words = [line];
    for (place += 1; place < lines.length && lines[place].trim() && !/^\s*```|^#{1,4}\s/.test(lines[place]) && !bullet.test(lines[place]); place += 1) words.push(lines[place]);
    const paragraph = el('p', {});
    words.forEach((part, index) => paragraph.append(...(index ? [el('br')] : []), ...inline(part)));
    out.push(paragraph);
  }
  return out;
}
