// The frame: which tab shows, the theme, the key, and the server's state.
import { at } from './dom.js';
import { connectKeyDialog, refresh, served, watch } from './api.js';
import * as chat from './chat.js';
import * as images from './images.js';
import * as voices from './voices.js';
import * as transcripts from './transcripts.js';
import * as talk from './talk.js';
import * as videos from './videos.js';
import * as models from './models.js';

const tabs = { chat, pictures: images, voices, transcripts, talk, videos, models };
const titles = { chat: 'Chat', pictures: 'Pictures', voices: 'Voices', transcripts: 'Transcripts', talk: 'Talk', videos: 'Videos', models: 'Models' };
let current = null;

function show(name) {
  if (current === name) return;
  tabs[current]?.leave?.();
  current = name;
  for (const tab of Object.keys(tabs)) at(`tab-${tab}`).hidden = tab !== name;
  for (const link of document.querySelectorAll('.nav a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${titles[name]} · swift-omni`;
  tabs[name].enter?.();
}

const named = () => location.hash.slice(1);

addEventListener('hashchange', () => {
  if (!(named() in tabs)) return;
  show(named());
  scrollTo(0, 0);
  at('main').focus({ preventScroll: true });
});

// MARK: - Theme

const themes = ['system', 'light', 'dark'];
function setTheme(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try { localStorage.setItem('omni.theme', theme); } catch { /* Then it lasts as long as the page. */ }
  at('theme-word').textContent = { system: 'auto', light: 'light', dark: 'dark' }[theme];
  }
at('theme-toggle').addEventListener('click', () => {
  const now = document.documentElement.dataset.theme ?? 'system';
  setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
});
setTheme(document.documentElement.dataset.theme ?? 'system');

// MARK: - The server's state

/** `3 models ready, 1 asleep`. */
function ready(states) {
  const asleep = states.filter((state) => state === 'asleep').length;
  const awake = states.length - asleep;
  return [awake && `${awake} ${awake === 1 ? 'model' : 'models'} ready`, asleep && `${asleep} asleep`].filter(Boolean).join(', ');
}

function showState() {
  const states = served.models.map((model) => model.state);
  const [word, text] = served.error
    ? ['failed', served.error.status === 401 ? 'Needs a key' : 'No connection']
    : states.includes('failed') ? ['failed', 'A model failed']
    : states.includes('loading') ? ['loading', 'Loading a model…']
    : states.length ? ['ready', ready(states)] : ['', 'No models'];
  at('state-dot').className = `dot ${word}`;
  if (at('state-text').textContent !== text) at('state-text').textContent = text;
}

connectKeyDialog();
for (const tab of Object.values(tabs)) tab.start();
watch(showState);
show(named() in tabs ? named() : 'chat');
(async function follow() {
  await refresh();
  // Often while something loads, seldom otherwise, not at all in the background.
  const isBusy = served.error || served.models.some((model) => model.state !== 'ready' && model.state !== 'asleep');
  setTimeout(function again() {
    if (document.hidden) setTimeout(again, 2000);
    else follow();
  }, isBusy ? 2000 : 15_000);
})();
