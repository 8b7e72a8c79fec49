// Conveniences of the booking page: the visitor's time zone, arrow keys in the month, a tapped day's times in view.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

// A link to a consultation's times that names no zone yet takes the browser's along.
document.addEventListener("htmx:config:request", ({ detail: { ctx } }) => {
  const { pathname, searchParams } = new URL(ctx.request.action, location);
  if (zone && /^\/book-consultation\/[^/]+$/.test(pathname) && !searchParams.has("zone") && !ctx.request.body.has("zone")) {
    ctx.request.body.set("zone", zone);
  }
});

// Somebody came straight here: ask again with the browser's zone. Until that is there, no time can be chosen.
function useBrowsersZone() {
  const form = document.querySelector("form#zone[data-guess]");
  const select = form?.elements.zone;
  if (!form || !zone || select.value === zone) return;
  form.removeAttribute("data-guess");
  select.value = zone;
  if (select.value !== zone) select.add(new Option(zone, zone, true, true)); // an older name of a zone
  const slots = document.getElementById("slots");
  slots.inert = true;
  document.addEventListener("htmx:error", () => { slots.inert = false; }, { once: true });
  form.requestSubmit();
}

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7, Home: -1, End: 1 };
const MONTHS = { PageUp: "earlier", PageDown: "later" };
let arrivesAt = 0; // by an arrow, in the month after (1, on its first day) or before (-1, on its last)

// Arrows go from one free day to the next, over the month's edges too; Home and End to its first and last.
document.addEventListener("keydown", (event) => {
  const step = STEPS[event.key];
  const link = event.target.closest?.(".month a");
  if (!link || !(step || MONTHS[event.key]) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (MONTHS[event.key]) return turnTo(MONTHS[event.key], 1);
  const cells = [...link.closest("table").querySelectorAll("td")];
  const days = link.closest("table").querySelectorAll("td a");
  if (event.key === "Home" || event.key === "End") return days[step < 0 ? 0 : days.length - 1].focus();
  let at = cells.indexOf(link.closest("td")) + step;
  while (cells[at] && !cells[at].querySelector("a")) at += step;
  if (cells[at]) cells[at].querySelector("a").focus();
  else turnTo(step < 0 ? "earlier" : "later", step < 0 ? -1 : 1);
});

function turnTo(id, where) {
  const link = document.getElementById(id);
  if (!link) return;
  arrivesAt = where;
  link.click();
}

function focusDay() {
  if (!arrivesAt) return;
  const days = document.querySelectorAll(".month td a");
  (days[arrivesAt > 0 ? 0 : days.length - 1] ?? document.getElementById("next-free") ?? document.getElementById("later"))?.focus();
  arrivesAt = 0;
}

// On a phone the times of a day that somebody tapped lie below the month. A click by keyboard counts no taps.
let tapped = false;
document.addEventListener("click", (event) => { tapped = event.detail > 0 && !!event.target.closest?.(".month a"); });
function showTimes() {
  const times = document.getElementById("times");
  if (tapped && times?.getBoundingClientRect().top > innerHeight / 2) times.scrollIntoView();
  tapped = false;
}

document.addEventListener("htmx:after:swap", showTimes);
document.addEventListener("htmx:after:settle", focusDay);
document.addEventListener("htmx:after:swap", useBrowsersZone);
if (window.htmx) useBrowsersZone();
else addEventListener("load", useBrowsersZone);
