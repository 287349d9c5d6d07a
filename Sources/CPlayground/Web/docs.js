// Renders /openapi.json to read. Text of the document only ever becomes text.
import { at, el, fill, notice } from './dom.js';
import { base, json } from './api.js';

let spec;

const resolve = (schema) => (schema?.$ref ? spec.components.schemas[schema.$ref.split('/').pop()] : schema);
const nameOf = (schema) => schema?.$ref?.split('/').pop();
const isNull = (schema) => schema.type === 'null';

/** A schema in a few words: `integer 1–10`, `list of ChatMessage`. */
function words(schema) {
  if (!schema) return '';
  if (schema.$ref) return nameOf(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return `${[...new Set(choices.filter((part) => !isNull(part)).map(words))].join(' or ')}${choices.some(isNull) ? ', or null' : ''}`;
  if (schema.allOf) return schema.allOf.map(words).join(' with ');
  if (schema.type === 'array') return `list of ${words(schema.items) || 'anything'}`;
  if (schema.contentMediaType || schema.format === 'binary') return `file ${schema.contentMediaType ?? ''}`;
  const type = [schema.type].flat().filter(Boolean).join(' or ') || 'anything';
  const low = schema.minimum ?? (schema.exclusiveMinimum !== undefined ? `more than ${schema.exclusiveMinimum}` : undefined);
  if (low !== undefined && schema.maximum !== undefined) return `${type} ${low}–${schema.maximum}`;
  if (low !== undefined) return `${type}, at least ${low}`;
  if (schema.maximum !== undefined) return `${type}, at most ${schema.maximum}`;
  if (schema.maxLength !== undefined) return `${type} of ${schema.minLength ?? 0}–${schema.maxLength} characters`;
  if (schema.pattern) return `${type} like ${schema.pattern}`;
  return type;
}

/** The objects that a schema holds, to open on demand. */
function objectsIn(schema) {
  if (!schema || typeof schema !== 'object') return [];
  if (schema.$ref) return [schema];
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? []), ...(schema.items ? [schema.items] : []), ...(typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [])].flatMap(objectsIn);
}

function table(schema, depth = 0) {
  const whole = resolve(schema);
  if (whole?.allOf) return el('div', {}, ...whole.allOf.map((part) => table(part, depth)));
  if (!whole?.properties) {
    const inner = objectsIn(whole);
    return inner.length ? el('div', {}, ...inner.map((part) => table(part, depth))) : el('p', { class: 'small muted' }, words(whole));
  }
  const required = new Set(whole.required ?? []);
  return el('div', { class: 'schema' }, ...Object.entries(whole.properties).map(([name, field]) => el('div', {},
    el('div', {}, el('code', {}, name), ' ', required.has(name) ? el('span', { class: 'tag' }, 'required') : null),
    el('div', {}, el('span', { class: 'kind' }, words(field), field.default !== undefined ? `, else ${JSON.stringify(field.default)}` : ''), field.description ? el('div', {}, field.description) : null),
    ...(depth < 4 ? objectsIn(field).map((part) => later(nameOf(part), part, depth)) : []))));
}

/** Written only when it is opened: schemas may hold themselves. */
function later(title, schema, depth) {
  const details = el('details', {}, el('summary', {}, title));
  details.addEventListener('toggle', () => { if (details.open && details.children.length === 1) details.append(table(schema, depth + 1)); });
  return details;
}

function operation(path, method, found) {
  const inside = el('div', { class: 'inside' });
  const details = el('details', { class: 'card operation', id: found.operationId }, el('summary', {}, el('span', { class: `method ${method}` }, method), el('code', {}, path), el('span', { class: 'about' }, found.summary)), inside);
  details.addEventListener('toggle', () => { if (details.open && !inside.childElementCount) fill(inside, body(path, method, found)); });
  return details;
}

function body(path, method, found) {
  const out = [];
  if (found.parameters?.length) {
    out.push(el('section', {}, el('h3', {}, 'Parameters'), el('div', { class: 'schema' }, ...found.parameters.map((parameter) => el('div', {},
      el('div', {}, el('code', {}, parameter.name), el('span', { class: 'tag' }, parameter.in)), el('div', {}, el('span', { class: 'kind' }, words(parameter.schema)), parameter.description ? el('div', {}, parameter.description) : null))))));
  }
  for (const [type, content] of Object.entries(found.requestBody?.content ?? {})) {
    const example = content.example && el('pre', { class: 'block', tabIndex: 0 }, el('code', {}, `curl ${base}${path} \\\n  -H 'Content-Type: ${type}' \\\n  -d '${JSON.stringify(content.example)}'`));
    out.push(el('section', {}, el('h3', {}, 'Request', el('span', { class: 'tag' }, type)), example, table(content.schema)));
  }
  for (const [status, reply] of Object.entries(found.responses).filter(([code]) => code < 400)) {
    const types = Object.entries(reply.content ?? {});
    const parts = types.map(([type, content]) => {
      const streamed = content.schema?.properties?.data?.anyOf?.[1]?.contentSchema?.anyOf;
      if (streamed) return el('div', {}, el('span', { class: 'tag' }, type), ...streamed.map((part) => (part.$ref ? later(nameOf(part), part, 0) : table(part))));
      return content.schema?.format === 'binary' ? el('span', { class: 'tag' }, type) : el('div', {}, el('span', { class: 'tag' }, type), table(content.schema));
    });
    out.push(el('section', { class: 'stack tight' }, el('h3', {}, `Reply ${status}`), reply.description === 'Success.' ? null : el('p', { class: 'small muted' }, reply.description), ...parts));
  }
  const errors = Object.entries(found.responses).filter(([code]) => code >= 400);
  if (errors.length) out.push(el('section', {}, el('h3', {}, 'Errors'), el('div', { class: 'statuses' }, ...errors.map(([code, reply]) => el('div', {}, el('code', {}, code), el('span', {}, reply.description.replaceAll('`', '')))))));
  return out;
}

function render(filter) {
  const chapters = new Map(spec.tags.map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const [method, found] of Object.entries(item)) {
      const text = JSON.stringify([path, found.summary, found.requestBody, found.parameters].concat(objectsIn(found.requestBody?.content?.['application/json']?.schema).map((part) => Object.keys(resolve(part)?.properties ?? {})))).toLowerCase();
      if (!filter || text.includes(filter)) chapters.get(found.tags[0]).push([path, method, found]);
    }
  }
  const sockets = Object.entries(spec['x-websockets'] ?? {}).filter(([path]) => !filter || path.includes(filter));
  const sections = [...chapters].filter(([, list]) => list.length).map(([name, list]) => el('section', { class: 'chapter', 'aria-label': name }, el('h2', {}, name), ...list.map((entry) => operation(...entry))));
  if (sockets.length) sections.push(el('section', { class: 'chapter' }, el('h2', {}, 'WebSockets'), ...sockets.map(([path, about]) => el('div', { class: 'card' }, el('code', {}, path), el('p', { class: 'small muted' }, about.summary)))));
  fill(at('operations'), sections.length ? sections : el('p', { class: 'muted' }, 'Nothing is called so.'));
  fill(at('contents'), [...chapters].filter(([, list]) => list.length).map(([name, list]) => el('div', {}, el('h2', {}, name), ...list.map(([path, method, found]) => el('a', { href: `#${found.operationId}` }, el('span', { class: `method ${method}` }, method), el('span', {}, path))))));
}

function openNamed() {
  const details = at(location.hash.slice(1));
  if (details?.tagName !== 'DETAILS') return;
  details.open = true;
  details.scrollIntoView();
}

try {
  spec = await json('/openapi.json');
  render('');
  openNamed();
  addEventListener('hashchange', openNamed);
  at('filter').addEventListener('input', () => render(at('filter').value.trim().toLowerCase()));
} catch (error) {
  fill(at('operations'), notice(error));
}
