// Refreshes what is marked with data-refresh while the page is seen. Everything works without it.
(() => {
  'use strict';
  const live = document.querySelector('[data-refresh]');
  const status = document.querySelector('[data-status]');
  if (!live || !status) return;
  const EVERY = 10000, STALE_AFTER = 60000;
  let shown = null, updated = Date.now(), busy = false;

  const clock = (at) => new Date(at).toLocaleTimeString();

  const show = (html) => {
    if (html === shown) return;
    const first = shown === null;
    shown = html;
    const fresh = new DOMParser().parseFromString(html, 'text/html').querySelector('[data-refresh]');
    if (!fresh || (first && fresh.innerHTML === live.innerHTML)) return;
    const open = [...live.querySelectorAll('details[open][id]')].map((details) => details.id);
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    live.replaceChildren(...fresh.childNodes);
    for (const id of open) live.querySelector('#' + CSS.escape(id))?.setAttribute('open', '');
    if (focused) live.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus({ preventScroll: true });
  };

  const refresh = async () => {
    if (document.visibilityState !== 'visible' || busy) return;
    busy = true;
    try {
      const answer = await fetch(live.dataset.refresh, { cache: 'no-cache', credentials: 'same-origin', redirect: 'error', signal: AbortSignal.timeout(8000) });
      if (!answer.ok) throw new Error(String(answer.status));
      show(await answer.text());
      updated = Date.now();
    } catch {
      // The status line says how old this is.
    }
    busy = false;
    const stale = Date.now() - updated > STALE_AFTER;
    live.classList.toggle('stale', stale);
    status.textContent = stale ? 'Not updated since ' + clock(updated) + ': phasebot does not answer. Reload to sign in again.' : 'Updated ' + clock(updated) + ', again every 10 s';
  };

  setInterval(refresh, EVERY);
  document.addEventListener('visibilitychange', refresh);
  refresh();
})();
