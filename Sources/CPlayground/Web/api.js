// The server's API: requests, streams, errors, and what it serves.
import { at, el, fill } from './dom.js';

/** The server's own address, also behind a proxy that adds a path. */
export const base = new URL('.', document.baseURI).href.replace(/\/$/, '');

const stored = () => { try { return sessionStorage.getItem('omni.key') ?? ''; } catch { return ''; } };
export const key = () => stored();

/** An answer that is no success: the server's sentence, which says what to do. */
export class APIError extends Error {
  constructor(status, body, retryAfter) {
    const error = body?.error ?? {};
    super(typeof error === 'string' ? 'A valid API key is required.' : error.message ?? `The server answered ${status}.`);
    this.status = status;
    this.param = error.param ?? null;
    this.retryAfter = retryAfter;
    this.title = { 401: 'A key is needed', 404: 'Not there', 413: 'Too large', 503: 'Not ready', 507: 'Not enough memory' }[status] ?? 'That did not work';
  }
}

/** A failure of the connection in the middle of a reply, in words; other errors as they are. */
export function lost(error) {
  if (error.name === 'AbortError' || error instanceof APIError) return error;
  refresh();
  return Object.assign(new Error('The connection broke while the reply came. Is the server still running?'), { title: 'Connection lost' });
}

/**
 * A request; `body` is JSON or a form. Throws APIError, or a TypeError-like error when nobody answers.
 * `isQuiet`: it is made by the page itself, and does not ask for a key.
 */
export async function call(path, { method, body, signal, headers = {}, isQuiet = false } = {}) {
  headers = { ...headers };
  if (key()) headers.Authorization = `Bearer ${key()}`;
  const isForm = body instanceof FormData;
  if (body !== undefined && !isForm) headers['Content-Type'] = 'application/json';
  let reply;
  try {
    reply = await fetch(base + path, { method: method ?? (body === undefined ? 'GET' : 'POST'), headers, signal, body: isForm || body === undefined ? body : JSON.stringify(body) });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    const failure = new Error('The server does not answer. Is it still running? Start it with `omni serve`.');
    failure.title = 'No connection';
    throw failure;
  }
  if (!reply.ok) {
    let json = null;
    try { json = await reply.json(); } catch { /* Not ours: a proxy's page. */ }
    if (reply.status === 401 && !isQuiet) askForKey();
    throw new APIError(reply.status, json, Number(reply.headers.get('Retry-After')) || undefined);
  }
  return reply;
}

export const json = async (path, options) => (await call(path, options)).json();

/** Server-sent events as `{event, data}`; comments come as `{comment}`. Ends at `[DONE]`. */
export async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    while (true) {
      const { done, value } = await reader.read().catch((error) => { throw lost(error); });
      if (done) return;
      text += value;
      let end;
      while ((end = text.indexOf('\n\n')) >= 0) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const found = { event: undefined, data: undefined };
        for (const line of lines) {
          if (line.startsWith(':')) yield { comment: line.slice(1).trim() };
          else if (line.startsWith('event:')) found.event = line.slice(6).trim();
          else if (line.startsWith('data:')) found.data = (found.data ?? '') + line.slice(5).trim();
        }
        if (found.data === '[DONE]') return;
        if (found.data === undefined) continue;
        const data = JSON.parse(found.data);
        if (data.error) throw new APIError(data.error.code ?? 500, data);
        yield { event: found.event, data };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// MARK: - What is served

/** The list of /v1/capabilities, kept fresh by `refresh`. */
export const served = { models: [], listeners: new Set(), error: null };

export const modelsOf = (...kinds) => served.models.filter((model) => kinds.includes(model.kind) || model.kind === 'remote');

/** Lists models in a `select`; what was chosen stays chosen while it is there. */
export function offer(select, models) {
  const chosen = select.value;
  fill(select, models.length ? models.map((model) => el('option', { value: model.id }, model.id)) : el('option', { value: '' }, 'none is served'));
  if (models.some((model) => model.id === chosen)) select.value = chosen;
}

/** Asks for a key once; who closed the dialog is asked again by what he does, not by the clock. */
export async function refresh() {
  try {
    served.models = (await json('/v1/capabilities', { isQuiet: served.error?.status === 401 })).data;
    served.error = null;
  } catch (error) {
    served.error = error;
  }
  for (const listener of served.listeners) listener();
}

/** Calls `listener` now and after each change of what is served. */
export function watch(listener) {
  served.listeners.add(listener);
  listener();
}

function askForKey() {
  const dialog = at('key-dialog');
  at('key-wrong').hidden = !key();
  if (!dialog.open) dialog.showModal();
}

export function connectKeyDialog() {
  const dialog = at('key-dialog');
  at('key-open').addEventListener('click', () => { at('key-field').value = key(); at('key-wrong').hidden = true; dialog.showModal(); });
  at('key-cancel').addEventListener('click', () => dialog.close());
  dialog.querySelector('form').addEventListener('submit', (event) => {
    event.preventDefault();
    try { sessionStorage.setItem('omni.key', at('key-field').value.trim()); } catch { /* Private windows may refuse. */ }
    dialog.close();
    served.error = null;
    refresh();
  });
}
