"use strict";

// Reads /v1/status every few seconds and shows it; text goes in as text, never as markup.

const REFRESH_MS = 1000 * Number(document.body.dataset.refreshS);
const FIRST_LINKS = 14;
const NEWEST = 14;
const KEY = "bwalloc-token";
const SOURCES = {
  policy: "The policy decides",
  "max-min": "Fallback: max-min",
  "last-known-good": "Fallback: the last good decision holds",
  static: "Fallback: the static table",
};

const $ = (id) => document.getElementById(id);
const shown = new Map();
let areAllLinks = false;
let lastAnswer = 0;
let now = null;

// ------------------------------------------------------------------------------------ requests

class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function ask(path, command) {
  const headers = {};
  const token = sessionStorage.getItem(KEY);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (command) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, {
    method: command ? "POST" : "GET",
    headers,
    body: command ? JSON.stringify(command) : undefined,
    signal: AbortSignal.timeout(command ? 60000 : 5000),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, problem.detail || `The sidecar answered ${answer.status}.`);
  }
  return answer.status === 204 ? null : answer.json();
}

async function act(path, command, done) {
  try {
    await ask(path, command);
    say(done, false);
  } catch (error) {
    say(error.message, true);
  }
  await refresh();
}

let hiding = 0;
function say(text, isBad) {
  const toast = $("toast");
  toast.textContent = text;
  toast.classList.toggle("bad", isBad);
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, isBad ? 12000 : 4000);
}

/** Asks before an act; resolves to the reason that was given, or null for no. */
function confirmed(title, text, yes, needsReason) {
  const dialog = $("ask");
  const input = $("ask-reason").querySelector("input");
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  $("ask-reason").hidden = !needsReason;
  input.required = needsReason;
  input.value = "";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? input.value.trim() || "no reason given" : null),
      { once: true },
    );
  });
}

// ------------------------------------------------------------------------------------- writing

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.map((one) => (one === null || one === undefined ? "" : one)));
  return made;
}

const amount = (value, digits = 2) =>
  value === null || value === undefined
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const percent = (value) => `${Math.round(100 * value)} %`;
const clock = (text) =>
  text ? new Date(text).toLocaleTimeString("en-GB", { hour12: false }) : "–";

function age(seconds) {
  if (seconds === null) return "–";
  if (seconds < 120) return `${amount(seconds, seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${amount(seconds / 3600, 1)} h`;
}

/** Draws a part anew only where its data changed, so that focus and scrolling stay. */
function show(name, data, draw) {
  const text = JSON.stringify(data);
  if (shown.get(name) === text) return;
  shown.set(name, text);
  draw(data);
}

function rows(body, list) {
  body.replaceChildren(...list);
}

function cell(text, className) {
  return element("td", className, String(text));
}

// --------------------------------------------------------------------------------------- parts

function headline(status) {
  const { ladder, killed, recent } = status;
  const last = recent.at(-1);
  const banner = $("banner");
  let title = SOURCES[ladder.source] || ladder.source;
  let why = last && last.reasons.length ? last.reasons.join("; ") : "No limit had to step in.";
  let look = ladder.is_fallback ? "careful" : "good";
  if (killed !== null) {
    title = "Switched off: the static table decides";
    why = killed;
    look = "careful";
  } else if (!last) {
    title = "No telemetry yet";
    why = "Nothing was decided since the start.";
    look = "idle";
  } else if (ladder.is_fallback && ladder.since) {
    title += ` since ${clock(ladder.since)}`;
  }
  banner.className = `banner ${look}`;
  $("headline").textContent = title;
  $("because").textContent = $("because").title = why;
}

function tile(label, value, note, isCareful) {
  return element(
    "div",
    isCareful ? "careful" : "",
    element("dt", "", label),
    element("dd", "", value),
    element("dd", "sub", note),
  );
}

function tiles(status) {
  const { money, deployment, recent, times } = status;
  const last = recent.at(-1);
  const of = (most) => (most === null ? "no cap" : `of ${amount(most, 0)} at most`);
  const isLate = !status.is_ready;
  $("tiles").replaceChildren(
    tile("Deployment", String(deployment.deployment), `${deployment.name} ${deployment.version}, ${deployment.runtime}`),
    tile("Age of telemetry", age(status.telemetry_age_s), last ? `interval of ${amount(status.interval_s, 0)} s` : "none came yet", isLate),
    tile("Last decision took", last ? `${amount(1000 * last.seconds, 1)} ms` : "–",
      times.count ? `mean ${amount((1000 * times.total_s) / times.count, 1)} ms of ${times.count}` : "none yet"),
    tile("Bought", `${amount(money.usd_per_h)} $/h`,
      `${of(money.max_usd_per_h)}; ${amount(money.spent_usd, 0)} $ in ${money.month || "this month"}, ${of(money.max_usd_per_month)}`),
  );
}

function linkRow(link) {
  const meter = element("div", "meter");
  const bar = element("i");
  bar.style.width = `${Math.min(100, 100 * link.utilisation)}%`;
  meter.append(element("span", "", bar), element("b", "", link.is_up ? percent(link.utilisation) : "down"));
  return element(
    "tr",
    link.is_up ? "" : "down",
    element("th", "", link.name),
    element("td", "wide", meter),
    cell(amount(link.planned_gbps)),
    cell(amount(link.carried_gbps)),
    cell(amount(link.capacity_gbps)),
  );
}

function links(list) {
  const sorted = [...list].sort((a, b) => a.is_up - b.is_up || b.utilisation - a.utilisation);
  const isLong = list.length > FIRST_LINKS;
  rows($("links"), (areAllLinks ? sorted : sorted.slice(0, FIRST_LINKS)).map(linkRow));
  const down = list.filter((link) => !link.is_up).length;
  $("links-count").textContent = `${list.length}${down ? `, ${down} down` : ""}`;
  $("all-links").hidden = !isLong;
  $("all-links").textContent = areAllLinks ? "Show the busiest" : `Show all ${list.length}`;
}

function decisions(list) {
  const made = list.slice(-NEWEST).reverse().map((one) =>
    element(
      "tr",
      "",
      element("th", "", clock(one.at)),
      cell(one.source, `source ${one.source === "policy" ? "policy" : ""}`),
      cell(amount(1000 * one.seconds, 1)),
      cell(amount(one.planned_gbps, 1)),
      cell(one.reasons.join("; ") || "–", "why"),
    ));
  rows($("recent"), made);
}

function button(text, onClick) {
  const made = element("button", "", text);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

function waiting(list) {
  $("waiting").hidden = !list.length;
  rows($("waiting").querySelector("tbody"), list.map((order) => {
    const told = `${order.span}: ${amount(order.from_gbps, 1)} to ${amount(order.tier_gbps, 1)} Gbit/s, ${amount(order.more_usd_per_h)} $/h more`;
    const choose = (path, title, yes, done) => async () => {
      if ((await confirmed(title, told, yes, false)) !== null) {
        await act(path, { order: order.id }, done);
      }
    };
    const last = order.is_approved
      ? cell("approved")
      : element("td", "",
        button("Approve", choose("/v1/approve", "Place this order?", "Approve", "Approved: placed with the next decision.")),
        button("Reject", choose("/v1/reject", "Strike this order?", "Reject", "Rejected.")));
    return element("tr", "", element("th", "", order.span), cell(amount(order.from_gbps, 1)),
      cell(amount(order.tier_gbps, 1)), cell(amount(order.more_usd_per_h)), cell(clock(order.since)), last);
  }));
}

function overrides(list) {
  $("overrides").hidden = !list.length;
  rows($("overrides").querySelector("tbody"), list.map((one) => {
    const end = button("End", async () => {
      if ((await confirmed(`End the override of ${one.tenant}?`, "The policy decides for it again.", "End it", false)) !== null) {
        await act("/v1/release", { tenant: one.tenant }, `Released ${one.tenant}.`);
      }
    });
    return element("tr", "", element("th", "", one.tenant),
      cell(one.gbps === null ? "static" : amount(one.gbps)),
      cell(one.until ? clock(one.until) : "released"), cell(one.reason || "–", "why"), element("td", "", end));
  }));
}

function operations(status) {
  const { killed, previous, shadow } = status;
  $("kill").hidden = killed !== null;
  $("revive").hidden = killed === null;
  $("kill-state").textContent = killed === null ? "Off: the policy may decide." : `On: ${killed}`;
  $("kill-state").title = killed || "";
  $("rollback").disabled = previous === null;
  $("previous").textContent = previous === null
    ? "Nothing to go back to."
    : `Before: ${previous.name} ${previous.version} (deployment ${previous.deployment}).`;
  $("shadowing").hidden = shadow === null;
  if (shadow !== null) {
    const moved = shadow.mean_difference_share === null ? "–" : percent(shadow.mean_difference_share);
    $("shadow-state").textContent =
      `${shadow.name} ${shadow.version}: ${shadow.decisions} decisions, ${shadow.faults} faults; moves ${moved} of the rates on average.`;
  }
}

function counts(ladder) {
  const list = [
    ...Object.entries(ladder.decisions).map(([source, count]) => [`decided by ${source}`, count]),
    ...ladder.transitions.map((one) => [`from ${one.before} to ${one.after}`, one.count]),
    ...Object.entries(ladder.reasons).map(([reason, count]) => [`reason ${reason}`, count]),
  ];
  $("counts").replaceChildren(
    ...list.map(([name, count]) => element("div", "", element("dt", "", name), element("dd", "", amount(count, 0)))),
  );
}

function draw(status) {
  now = status;
  $("network").textContent = `· ${status.network}, ${status.demands} demands`;
  show("headline", [status.ladder, status.killed, status.recent.at(-1)], () => headline(status));
  show("tiles", [status.money, status.deployment, status.telemetry_age_s, status.times, status.is_ready], () => tiles(status));
  show("links", [status.links, areAllLinks], () => links(status.links));
  show("recent", status.recent, decisions);
  show("waiting", status.waiting, waiting);
  show("overrides", status.overrides, overrides);
  show("operations", [status.killed, status.previous, status.shadow], () => operations(status));
  show("counts", status.ladder, counts);
}

function bundles(names) {
  $("bundle").replaceChildren(...names.map((name) => element("option", "", name)));
  for (const control of $("swap").querySelectorAll("button, select")) control.disabled = !names.length;
  if (!names.length) $("no-bundles").textContent = "No bundles: name their folder with --bundles.";
}

// ---------------------------------------------------------------------------------------- life

async function refresh() {
  try {
    const status = await ask("/v1/status");
    lastAnswer = Date.now();
    document.body.classList.remove("stale");
    $("lost").hidden = true;
    $("sign-in").hidden = true;
    $("shown").hidden = false;
    draw(status);
    show("bundles", await ask("/v1/bundles").then((found) => found.bundles), bundles);
  } catch (error) {
    if (error.status === 401) {
      askForToken();
      return;
    }
    const since = lastAnswer ? ` What stands here is of ${clock(lastAnswer)}.` : "";
    $("lost").textContent = `The sidecar does not answer.${since}`;
    $("lost").hidden = false;
    $("shown").hidden = false;
    document.body.classList.add("stale");
  }
}

function askForToken() {
  const isWrong = sessionStorage.getItem(KEY) !== null;
  sessionStorage.removeItem(KEY);
  $("sign-in-error").textContent = isWrong ? "That token is not the right one." : "";
  $("sign-in").hidden = false;
  $("shown").hidden = true;
}

async function live() {
  if (!document.hidden && $("sign-in").hidden) await refresh();
  setTimeout(live, REFRESH_MS);
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  $("token").value = "";
  refresh();
});
$("all-links").addEventListener("click", () => {
  areAllLinks = !areAllLinks;
  draw(now);
});
$("kill").addEventListener("click", async () => {
  const reason = await confirmed("Switch the policy off?",
    "The static table decides from the next decision on, and nothing is ordered, until you let the policy decide again.",
    "Switch it off", true);
  if (reason !== null) await act("/v1/kill", { reason }, "The policy is switched off.");
});
$("revive").addEventListener("click", async () => {
  const answer = await confirmed("Let the policy decide again?", "From the next decision on.", "Let it decide", false);
  if (answer !== null) await act("/v1/revive", {}, "The policy decides again.");
});
$("rollback").addEventListener("click", async () => {
  const { previous, deployment } = now;
  const answer = await confirmed("Roll back?",
    `${previous.name} ${previous.version} takes over from ${deployment.name} ${deployment.version} with the next decision.`,
    "Roll back", false);
  if (answer !== null) await act("/v1/rollback", {}, "Rolled back.");
});
$("swap").addEventListener("submit", async (event) => {
  event.preventDefault();
  const bundle = $("bundle").value;
  const answer = await confirmed(`Swap ${bundle} in?`, "It is checked and warmed up, then it decides.", "Swap in", false);
  if (answer !== null) await act("/v1/swap", { bundle }, `${bundle} decides.`);
});
$("shadow").addEventListener("click", () =>
  act("/v1/shadow", { bundle: $("bundle").value }, "It decides beside; nothing of it is enforced."));
$("shadow-end").addEventListener("click", () => act("/v1/shadow", { bundle: null }, "The shadow ended."));
$("override").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  const tenant = given.get("tenant").trim();
  const gbps = given.get("gbps") === "" ? null : Number(given.get("gbps"));
  const command = { tenant, gbps, reason: given.get("reason").trim() };
  if (given.get("minutes") !== "") command.for_s = 60 * Number(given.get("minutes"));
  const what = gbps === null ? "what the static table gives it" : `${amount(gbps)} Gbit/s`;
  if ((await confirmed(`Override ${tenant}?`, `It gets ${what}, whatever the policy says.`, "Override", false)) === null) return;
  await act("/v1/override", command, `Override of ${tenant} is set.`);
});
live();
