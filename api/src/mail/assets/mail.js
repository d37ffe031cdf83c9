/* Makes the mailbox live: new mails appear, times are told, codes are copied. Without it the page still works. */
"use strict";
(() => {
  const SHORTEST = 1000;
  const LONGEST = 5000;
  const { root, open } = document.body.dataset;
  const list = document.getElementById("list");
  const status = document.getElementById("status");
  const search = document.querySelector("input[type=search]");
  const clear = document.getElementById("clear");
  const title = document.title;

  const links = () => [...list.querySelectorAll("a[data-id]")];
  const known = new Set(links().map((link) => link.dataset.id));
  const signature = (within) => {
    const entries = [...within.querySelectorAll("a[data-id]")];
    const { total, unread } = within.querySelector("[data-total]").dataset;
    return [total, unread, ...entries.map((link) => link.parentNode.classList[0] + link.getAttribute("href"))].join();
  };

  const told = (then) => {
    const seconds = Math.max(0, Math.round((Date.now() - then) / 1000));
    if (seconds < 10) return "just now";
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    const sameDay = then.toDateString() === new Date().toDateString();
    return sameDay ? then.toLocaleTimeString() : then.toLocaleString();
  };
  const tellTimes = () => {
    for (const time of document.querySelectorAll("time")) {
      const then = new Date(time.dateTime);
      if (Number.isNaN(then.getTime())) continue;
      time.textContent = told(then);
      time.title = then.toLocaleString();
    }
  };

  const say = (text, state) => {
    if (status.textContent !== text) status.textContent = text;
    status.className = `status ${state}`;
  };
  const tellCount = () => {
    const { unread, total } = list.querySelector("[data-total]").dataset;
    say(`${total} ${total === "1" ? "mail" : "mails"}, ${unread} unread`, "live");
    document.title = unread === "0" ? title : `(${unread}) ${title}`;
    clear.hidden = total === "0";
  };

  const show = (html) => {
    const next = document.createElement("template");
    next.innerHTML = html;
    if (signature(next.content) !== signature(list) || !links().length) {
      if (links().length || next.content.querySelector("a")) pause = SHORTEST;
      const focused = list.contains(document.activeElement) ? document.activeElement.dataset.id : undefined;
      list.replaceChildren(next.content);
      for (const link of links()) {
        if (!known.has(link.dataset.id)) link.parentNode.classList.add("fresh");
        if (link.dataset.id === focused) link.focus();
        known.add(link.dataset.id);
      }
    }
    tellCount();
    tellTimes();
  };

  let pause = SHORTEST;
  let asked = 0;
  const refresh = async () => {
    const turn = ++asked;
    try {
      const query = new URLSearchParams({ query: search.value, open });
      const answer = await fetch(`${root}list?${query}`);
      if (!answer.ok) throw new Error(answer.statusText);
      const html = await answer.text();
      if (turn === asked) show(html);
    } catch {
      if (turn === asked) say("The gateway does not answer", "lost");
    }
  };
  /* While nothing happens, it asks less and less often; whoever comes back sees the present at once. */
  const loop = async () => {
    if (!document.hidden) await refresh();
    setTimeout(loop, pause);
    pause = Math.min(pause * 1.2, LONGEST);
  };
  const wake = () => {
    pause = SHORTEST;
    if (!document.hidden) refresh();
  };
  document.addEventListener("visibilitychange", wake);
  addEventListener("focus", wake);

  search.addEventListener("input", () => {
    if (!open) {
      const query = search.value ? `?${new URLSearchParams({ query: search.value })}` : location.pathname;
      history.replaceState(null, "", query);
    }
    refresh();
  });

  const remove = async (path, body) => {
    const headers = body ? { "content-type": "application/json" } : {};
    await fetch(`${root}api/v1/${path}`, { method: "DELETE", headers, body });
    location.assign(root);
  };
  clear.addEventListener("click", () => {
    const query = search.value.trim();
    if (!confirm(query ? "Delete all mails that match the search?" : "Delete all mails?")) return;
    remove(query ? `search?${new URLSearchParams({ query })}` : "messages");
  });
  for (const button of document.querySelectorAll("button[data-delete]")) {
    button.hidden = false;
    button.addEventListener("click", () => remove("messages", JSON.stringify({ IDs: [button.dataset.delete] })));
  }

  const select = (element) => getSelection().selectAllChildren(element);
  const copy = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      select(source);
      document.execCommand("copy");
    }
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = words), 1500);
  };
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }

  const step = (by) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    const current = at < 0 ? all.findIndex((link) => link.hasAttribute("aria-current")) : at;
    const next = current < 0 ? 0 : Math.min(Math.max(current + by, 0), all.length - 1);
    if (all[next]) all[next].focus();
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === search) {
      if (event.key === "Escape") search.blur();
      return;
    }
    const inList = list.contains(document.activeElement);
    const code = document.querySelector("button[data-copy=digits]");
    if (event.key === "j" || (event.key === "ArrowDown" && inList)) step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && inList)) step(-1);
    else if (event.key === "/") search.focus();
    else if (event.key === "c" && code) code.click();
    else return;
    event.preventDefault();
  });

  tellCount();
  tellTimes();
  loop();
})();
