// What pages do by themselves: they stay up to date, count down, take keys and notify. All else works without it.
// Text of the service is only ever moved as nodes or as text: trusted types forbid making HTML of it.
"use strict";
(() => {
  const body = document.body;
  const words = body.dataset;
  const main = document.getElementById("content");
  const status = document.getElementById("updates");
  const fill = (text, ...values) => values.reduce((filled, value) => filled.replace("{}", value), text);
  const offset = Date.parse(words.now) - Date.now();
  const now = () => Date.now() + offset;

  // The zone of this browser, for those who have not chosen one.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie = `__Host-countersign-zone=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; Secure; SameSite=Lax`;
  }

  // Countdown.
  const length = (milliseconds) => {
    const minutes = Math.floor(milliseconds / 60000);
    const hours = Math.floor(minutes / 60);
    const days = Math.floor(hours / 24);
    if (milliseconds <= 0) return words.ended;
    if (minutes === 0) return fill(words.left, words.soon);
    if (hours === 0) return fill(words.left, fill(words.minutes, minutes));
    if (days === 0) return fill(words.left, fill(words.hours, hours, minutes % 60));
    return fill(words.left, fill(words.days, days, hours % 24));
  };
  // What a deadline ends: the forms that decide, and on a page of several requests the tick of this one.
  const endedWith = (id) => [
    ...[...document.forms].filter(
      (form) => /\/(approve|reject)$/.test(form.action) && (!id || form.action.includes(`/${id}/`)),
    ),
    ...[...document.getElementsByName("selected")].filter((tick) => tick.value === id).map((tick) => tick.parentNode),
  ];
  const count = () => {
    for (const element of document.querySelectorAll("[data-until]")) {
      const left = Date.parse(element.dataset.until) - now();
      const text = length(left);
      if (element.textContent !== text) element.textContent = text;
      if (left <= 0 && "ends" in element.dataset) {
        const ended = endedWith(element.dataset.ends);
        if (ended.length > 0) {
          ended.forEach((part) => part.remove());
          say(words.over);
        }
      }
    }
  };
  const say = (text) => {
    if (status && status.textContent !== text) status.textContent = text;
  };

  // High risk: the tick can be set once the last line of what will run was on screen.
  let wasRead = false;
  const watchReading = () => {
    const tick = document.querySelector("[data-read]");
    const last = [...document.querySelectorAll(".document:first-of-type code")].pop();
    if (!tick || !last || tick.checked || wasRead) return;
    const hint = document.querySelector("[data-read-hint]");
    tick.disabled = true;
    hint.hidden = false;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        wasRead = true;
        tick.disabled = false;
        hint.hidden = true;
        observer.disconnect();
      }
    });
    observer.observe(last);
  };

  // Updates.
  let isPaused = false;
  let lostSince = null;
  let said = "";
  let timer = 0;
  let waiting = Number((/^\((\d+)\)/.exec(document.title) || [0, 0])[1]);
  const isChanged = (field) =>
    "checked" in field && (field.type === "checkbox" || field.type === "radio")
      ? field.checked !== field.defaultChecked
      : "defaultValue" in field && field.type !== "hidden" && field.value !== field.defaultValue;
  const isInUse = (region) =>
    region.contains(document.activeElement) ||
    [...region.querySelectorAll("input, textarea")].some(isChanged) ||
    region.querySelector("details[open]") !== null;

  // By its address: to load the answer to a form again would send the form again.
  const open = () => location.assign(document.querySelector(".refresh").href);
  const offerChanges = () => {
    if (document.getElementById("show-changes")) return;
    const button = document.createElement("button");
    button.id = "show-changes";
    button.type = "button";
    button.textContent = words.show;
    button.addEventListener("click", open);
    document.querySelector(".tools").append(button);
    say(words.changed);
  };
  const notify = (title) => {
    const found = Number((/^\((\d+)\)/.exec(title) || [0, 0])[1]);
    const isMore = found > waiting;
    waiting = found;
    if (isMore && words.notifies && "Notification" in window && Notification.permission === "granted") {
      try {
        new Notification("Countersign", { body: words.notifies, tag: "countersign" });
      } catch {
        // Browsers of phones have it and do not let a page use it.
      }
    }
  };
  const show = (page) => {
    const found = page.getElementById("content");
    // A page without a version is another one: that of signing in, or of a failure. What is being written is kept.
    if (!found || !found.dataset.version) {
      isPaused = true;
      if ([...document.querySelectorAll("[data-live]")].some(isInUse)) offerChanges();
      else open();
      return;
    }
    let isWhole = true;
    for (const region of document.querySelectorAll("[data-live]")) {
      // A field called `id` hides the property of its form.
      const other = page.getElementById(region.getAttribute("id"));
      if (region === status || (other && region.isEqualNode(other))) continue;
      if (other && !isInUse(region)) region.replaceWith(document.importNode(other, true));
      else isWhole = false;
    }
    main.dataset.version = found.dataset.version;
    document.title = page.title;
    notify(page.title);
    if (isWhole) say(page.getElementById("updates").textContent);
    else offerChanges();
    count();
    watchReading();
  };
  const plan = (seconds) => {
    clearTimeout(timer);
    timer = setTimeout(poll, seconds * 1000);
  };
  const poll = () => {
    if (isPaused || document.visibilityState !== "visible") return;
    const usual = Number(main.dataset.seconds);
    const request = new XMLHttpRequest();
    request.open("GET", document.querySelector(".refresh").href);
    request.responseType = "document";
    request.timeout = 30000;
    request.setRequestHeader("Countersign-Version", main.dataset.version);
    const lose = () => {
      if (lostSince === null) said = status.textContent;
      lostSince = lostSince || new Date();
      say(fill(words.lost, lostSince.toLocaleTimeString()));
      plan(60);
    };
    request.addEventListener("load", () => {
      if (isPaused) return;
      if (request.status >= 500) return lose();
      if (lostSince !== null) say(said);
      lostSince = null;
      if (request.status !== 204 && request.response) show(request.response);
      plan(usual);
    });
    request.addEventListener("error", lose);
    request.addEventListener("timeout", lose);
    request.send();
  };
  if (main && main.dataset.version) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words.pause;
    button.addEventListener("click", () => {
      isPaused = !isPaused;
      button.textContent = isPaused ? words.resume : words.pause;
      if (!isPaused) poll();
    });
    document.querySelector(".tools").append(button);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") poll();
    });
    plan(Number(main.dataset.seconds));
  }

  // Keys move the focus, open and select. None decides.
  const move = (step) => {
    const rows = [...document.querySelectorAll(".row")];
    if (rows.length === 0) return;
    const place = rows.findIndex((row) => row.hasAttribute("aria-current"));
    const next = rows[Math.min(Math.max(place + step, 0), rows.length - 1)];
    rows.forEach((row) => row.removeAttribute("aria-current"));
    next.setAttribute("aria-current", "true");
    const link = next.querySelector("a");
    if (link) link.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const focusOn = (key) => {
    const found = document.querySelector(`[data-key="${key}"]`);
    if (!found) return;
    const details = found.closest("details");
    if (details) details.open = true;
    const field = found.control || (details ? details.querySelector("select, input:not([type=hidden])") : found);
    field.focus();
    field.scrollIntoView({ block: "center" });
  };
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => {
      const tick = document.querySelector(".row[aria-current] input[type=checkbox]");
      if (tick) tick.checked = !tick.checked;
    },
    "/": () => focusOn("/"),
    a: () => focusOn("a"),
    r: () => focusOn("r"),
    "?": () => location.assign("/settings"),
  };
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (!words.keys || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = Object.hasOwn(keys, event.key) && keys[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  // Who wants notifications is asked by the browser when that is chosen.
  const wish = document.querySelector("input[name=notifications]");
  if (wish && "Notification" in window) {
    wish.addEventListener("change", () => {
      if (wish.checked) Notification.requestPermission();
    });
  }

  // What is printed is printed whole.
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => (details.open = true)));

  count();
  watchReading();
  setInterval(count, 5000);
})();
