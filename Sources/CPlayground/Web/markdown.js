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
    const found = rest && marks.map(([pattern, make]) => [rest.match(pattern), make]).find(([match]) => match);
    if (!found) { plain += text[place]; place += 1; continue; }
    if (plain) nodes.push(plain);
    plain = '';
    nodes.push(found[1](found[0]));
    place += found[0][0].length;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

const bullet = /^\s{0,3}(?:[-*+]|(\d+)[.)])\s+(.*)$/;

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
    const heading = line.match(/^(#{1,4})\s+(.*)$/);
    if (heading) { out.push(el('h3', {}, ...inline(heading[2]))); place += 1; continue; }
    const first = line.match(bullet);
    if (first) {
      const list = el(first[1] ? 'ol' : 'ul', first[1] ? { start: Number(first[1]) } : {});
      for (let item; place < lines.length && (item = lines[place].match(bullet)); place += 1) list.append(el('li', {}, ...inline(item[2])));
      out.push(list);
      continue;
    }
    if (/^\s*>/.test(line)) {
      const quoted = [];
      for (; place < lines.length && /^\s*>/.test(lines[place]); place += 1) quoted.push(lines[place].replace(/^\s*>\s?/, ''));
      out.push(el('blockquote', {}, ...inline(quoted.join('\n'))));
      continue;
    }
    if (!line.trim()) { place += 1; continue; }
    const words = [];
    for (; place < lines.length && lines[place].trim() && !/^\s*```|^#{1,4}\s/.test(lines[place]) && !bullet.test(lines[place]); place += 1) words.push(lines[place]);
    const paragraph = el('p', {});
    words.forEach((part, index) => paragraph.append(...(index ? [el('br')] : []), ...inline(part)));
    out.push(paragraph);
  }
  return out;
}
