// Runs before anything is painted: the chosen theme, or the system's.
(() => {
  const stored = (() => { try { return localStorage.getItem('omni.theme'); } catch { return null; } })();
  if (stored === 'light' || stored === 'dark') document.documentElement.dataset.theme = stored;
})();
