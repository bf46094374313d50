// A classic script, in the head: the person's theme and rail before the first paint.
(() => {
  const root = document.documentElement;
  for (const name of ["theme", "rail"]) {
    try {
      const kept = localStorage.getItem(`kvmweb-${name}`);
      if (kept) root.dataset[name] = kept;
    } catch {
      return; // no storage: the system's theme
    }
  }
})();
