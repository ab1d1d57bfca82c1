// Before the first paint: the chosen colours and size, so that nothing flashes.
(function () {
  try {
    const chosen = JSON.parse(localStorage.getItem('rattil.preferences') ?? '{}');
    document.documentElement.dataset.theme = chosen.theme ?? 'system';
    document.documentElement.dataset.size = chosen.size ?? 'medium';
  } catch {
    document.documentElement.dataset.theme = 'system';
  }
})();
