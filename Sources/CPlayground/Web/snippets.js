// The same call as curl, Python and Swift, kept in step with the form that it stands under.
import { base, key } from './api.js';
import { announce, button, el, fill } from './dom.js';

const languages = ['curl', 'Python', 'Swift'];

/** Fills the `details` element `place`; `describe` returns `{curl, python, swift}`. Returns a function that renews it. */
export function attach(place, describe) {
  let chosen = 0;
  const tabs = languages.map((name, index) =>
    el('button', {
      type: 'button', role: 'tab', id: `${place.id}-tab-${index}`, 'aria-controls': `${place.id}-panel`,
      onclick: () => choose(index),
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step) { choose((chosen + step + languages.length) % languages.length); tabs[chosen].focus(); }
      },
    }, name));
  const text = el('code');
  const panel = el('pre', { class: 'block', role: 'tabpanel', id: `${place.id}-panel`, tabIndex: 0 }, text);
  const copy = button('Copy', async () => {
    await navigator.clipboard.writeText(text.textContent);
    announce('Copied');
    copy.textContent = 'Copied';
    setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
  }, { kind: 'quiet' });
  fill(place, el('summary', {}, 'The same call in code'),
    el('div', { class: 'inside' }, el('div', { class: 'row spread' }, el('div', { class: 'languages', role: 'tablist', 'aria-label': 'Language' }, ...tabs), copy), panel));

  function choose(index) {
    chosen = index;
    tabs.forEach((tab, number) => { tab.setAttribute('aria-selected', String(number === index)); tab.tabIndex = number === index ? 0 : -1; });
    panel.setAttribute('aria-labelledby', tabs[index].id);
    renew();
  }
  function renew() {
    if (!place.open) return;
    const made = describe();
    text.textContent = [made.curl, made.python, made.swift][chosen];
  }
  place.addEventListener('toggle', renew);
  choose(0);
  return renew;
}

// MARK: - curl

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A header with the key, which the shell has in OMNI_API_KEY: code is shown to others. */
export const curlKey = () => (key() ? ['  -H "Authorization: Bearer $OMNI_API_KEY"'] : []);

/** A name that needs no quotes. */
export const fileName = (file) => file.name.replace(/[^\w.-]/g, '_');

/** Stands for the bytes of a file, in base64, in a body of which code is made. */
export const inBase64 = (file) => `\u0000${fileName(file)}\u0000`;
const marked = /\\u0000([\w.-]+)\\u0000/;

/** A line of curl for a JSON body. */
export function curl(path, body, { out, stream } = {}) {
  const parts = [`curl ${stream ? '-N ' : ''}${base}${path}`, `  -H 'Content-Type: application/json'`, ...curlKey()];
  if (out) parts.push(`  -o ${out}`);
  const pieces = JSON.stringify(shorten(body), null, 2).split(marked);
  if (pieces.length === 1) return [...parts, `  -d ${quote(pieces[0])}`].join(' \\\n');
  // A file may be longer than an argument: the body comes through a pipe.
  const lines = pieces.map((piece, index) => (index % 2 ? `base64 < ${piece} | tr -d '\\n'` : `printf %s ${quote(piece)}`));
  return `{ ${lines.join('\n')}; } |\n${[...parts, '  -d @-'].join(' \\\n')}`;
}

/** A line of curl for a form: fields, and files as `{name: file name}`. */
export function curlForm(path, fields, files = {}) {
  const parts = [`curl ${base}${path}`, ...curlKey()];
  // As it is: with -F, text that begins with @ or < is a file's name, and what follows a semicolon a type.
  for (const [name, value] of Object.entries(fields)) parts.push(`  --form-string ${quote(`${name}=${value}`)}`);
  for (const [name, file] of Object.entries(files)) parts.push(`  -F ${name}=@${file}`);
  return parts.join(' \\\n');
}

/** Long data as three dots: nobody reads base64. */
function shorten(value) {
  if (typeof value === 'string') return value.length > 300 && /^(data:|[A-Za-z0-9+/=]+$)/.test(value) ? `${value.slice(0, 24)}…` : value;
  if (Array.isArray(value)) return value.map(shorten);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shorten(member)]));
  return value;
}

// MARK: - Python

/** A value as Python writes it. */
export function py(value, indent = 0) {
  const pad = ' '.repeat(indent + 4);
  value = shorten(value);
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (Array.isArray(value)) return value.length ? `[\n${value.map((item) => pad + py(item, indent + 4)).join(',\n')},\n${' '.repeat(indent)}]` : '[]';
  if (typeof value === 'object') return `{${Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${py(member, indent)}`).join(', ')}}`;
  const [before, file] = JSON.stringify(value).split(marked);
  return file ? `${before === '"' ? '' : `${before}" + `}base64.b64encode(open("${file}", "rb").read()).decode()` : before;
}

export const pyHead = (modules = []) => {
  const imports = [...modules, ...(key() ? ['os'] : [])].map((name) => `import ${name}\n`).join('');
  return `${imports}${imports ? '\n' : ''}from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key=${key() ? 'os.environ["OMNI_API_KEY"]' : '"unused"'})\n`;
};

/** `name(argument=value, …)`; names that the client does not know go into `extra_body`. */
export function pyCall(name, body, known, prefix = '') {
  const extra = Object.fromEntries(Object.entries(body).filter(([key]) => !known.includes(key)));
  const lines = Object.entries(body).filter(([key]) => known.includes(key)).map(([key, value]) => `    ${key}=${py(value, 4)},`);
  if (Object.keys(extra).length) lines.push(`    extra_body=${py(extra, 4)},`);
  return `${prefix}${name}(\n${lines.join('\n')}\n)`;
}

// MARK: - Swift

export const swiftHead = () => `import OmniClient\n\nlet client = OmniClient(baseURL: "${base}")\n`;

/** A value as Swift writes it. */
export const sw = (value) => (typeof value === 'string' ? JSON.stringify(value).replaceAll('\\/', '/') : String(value));

/** `request.name = value` for each given value. */
export const swiftSet = (pairs) => pairs.filter(([, value]) => value !== undefined && value !== null && value !== '').map(([name, value]) => `request.${name} = ${sw(value)}\n`).join('');

/** `"64x48"` as an `ImageSize`. */
export function swiftSize(text) {
  const [width, height] = String(text).split('x').map((side) => side.trim());
  return `ImageSize(width: ${width}, height: ${height})`;
}
