// Builds elements. Text from models and users only ever becomes text: nothing here reads HTML.

/** The element with this id. */
export const at = (id) => document.getElementById(id);

/** An element. `props` are properties, `on…` listeners, `class`, `data` and ARIA or other attributes with a dash. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'class') node.className = value;
    else if (name === 'data') Object.assign(node.dataset, value);
    else if (name.includes('-') || name === 'role' || name === 'for') node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const shapes = {
  copy: 'M9 9h10v10H9zM5 15V5h10',
  retry: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v4.5h4.5',
  sound: 'M5 10v4h3l4 3.5v-11L8 10zM15.5 9.5a3.5 3.5 0 0 1 0 5M18 7a7 7 0 0 1 0 10',
  stop: 'M7 7h10v10H7z',
  close: 'M6 6l12 12M18 6L6 18',
  picture: 'M4 5h16v14H4zM4 16l4.5-4.5L13 16l3-3 4 4M15.5 9.5h.01',
  play: 'M8 5.5v13L19 12z',
  video: 'M4 5h16v14H4zM8 5v14M16 5v14M4 9.7h4M4 14.3h4M16 9.7h4M16 14.3h4',
  save: 'M12 4v11M7.5 11L12 15.5 16.5 11M5 19.5h14',
  edit: 'M4.5 19.5l1-4L16 5l3 3L8.5 18.5zM14 7l3 3',
  bin: 'M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7',
  box: 'M12 3.5l7.5 4.2v8.6L12 20.5l-7.5-4.2V7.7zM4.5 7.7L12 12l7.5-4.3M12 12v8.5',
};

/** A line drawing of `name`; decoration, so hidden from screen readers. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  const path = document.createElementNS(space, 'path');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', 'stroke-width': '1.7', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' })) svg.setAttribute(key, value);
  path.setAttribute('d', shapes[name]);
  svg.append(path);
  return svg;
}

export const button = (text, onclick, { kind = '', draw, label } = {}) =>
  el('button', { type: 'button', class: `button ${kind}`, onclick, 'aria-label': label }, draw ? icon(draw) : null, text);

/** Replaces what `node` holds. */
export const fill = (node, ...children) => { node.replaceChildren(...children.flat().filter(Boolean)); return node; };

/** Where the focus goes when the control that had it is gone, hidden or disabled. */
export function keepFocus(next) {
  const held = document.activeElement;
  if (!held || held === document.body || held.disabled || held.closest('[hidden]')) next.focus({ preventScroll: true });
}

/** Shows, hides or disables two controls that stand for each other; the focus goes along. */
export function swap(controls, change) {
  const hadFocus = controls.includes(document.activeElement);
  change();
  if (hadFocus) controls.find((control) => !control.hidden && !control.disabled)?.focus({ preventScroll: true });
}

/** Said to screen readers. */
export function announce(text) {
  const region = at('announcer');
  region.textContent = '';
  requestAnimationFrame(() => { region.textContent = text; });
}

/** What went wrong, with what to do about it. */
export function notice(error, retry) {
  const node = el('div', { class: 'notice bad', role: 'alert' }, el('strong', {}, error.title ?? 'That did not work'), el('span', {}, error.message));
  if (retry) node.append(button('Try again', retry));
  return node;
}

/** An empty place, and what would fill it. */
export const empty = (draw, title, ...text) => el('div', { class: 'empty' }, icon(draw), el('h2', {}, title), ...text.map((part) => (typeof part === 'string' ? el('p', {}, part) : part)));

/** What `show` has given each element. */
const shownURLs = new WeakMap();

/**
 * Shows a blob in an image, a video or a sound, or nothing for null. The browser keeps a blob in memory as long as it has an
 * address: an image's is given back once it is read, a player's, which reads on and on, with the next one.
 */
export function show(node, blob) {
  const drop = () => {
    if (shownURLs.has(node)) URL.revokeObjectURL(shownURLs.get(node));
    shownURLs.delete(node);
  };
  drop();
  if (!blob) {
    node.removeAttribute('src');
    return node;
  }
  const url = URL.createObjectURL(blob);
  shownURLs.set(node, url);
  if (node.tagName === 'IMG') for (const event of ['load', 'error']) node.addEventListener(event, () => { if (shownURLs.get(node) === url) drop(); }, { once: true });
  node.src = url;
  return node;
}

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  el('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const bytes = (count) => {
  if (count === undefined || count === null) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let place = 0;
  while (count >= 1024 && place < units.length - 1) { count /= 1024; place += 1; }
  return `${count >= 100 || place === 0 ? Math.round(count) : count.toFixed(1)} ${units[place]}`;
};

export const seconds = (value) => (value >= 90 ? `${Math.floor(value / 60)} min ${Math.round(value % 60)} s` : value >= 10 ? `${Math.round(value)} s` : value >= 1 ? `${value.toFixed(1)} s` : `${Math.round(value * 1000)} ms`);

/** A file as a `data:` URL. */
export const dataURL = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(file);
});

export const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

/** A number from a field; undefined when it is empty. */
export const number = (field) => (field.value.trim() === '' ? undefined : Number(field.value));
