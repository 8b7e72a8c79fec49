// Cal.com's booker in a frame. We speak its messages ourselves and believe none but our own frame's; nothing is loaded
// before somebody asks for the calendar. Whatever fails ends at the links that the page has had all along.
const PATIENCE = 8000; // ms until the calendar can be used
const TALLEST = 6000; // px
let open; // what is shown: { shell, frame, origin, name, height, timer, isLoaded, isHeard, isReady, isBooked }

const root = document.documentElement;
const dark = matchMedia("(prefers-color-scheme: dark)");
const isUpTo = (most, number) => Number.isFinite(number) && Math.abs(number) <= most;
const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");

function say(method, arg) {
  open.frame.contentWindow?.postMessage({ originator: "CAL", method, arg }, open.origin);
}

function tellTheme() {
  if (open?.isReady) say("ui", { theme: theme() });
}

function report(step, reason) {
  navigator.sendBeacon("/api/events", JSON.stringify({ step, service: open.shell.dataset.service, reason }));
}

function tell(words) {
  document.getElementById("status").textContent = words;
}

function reveal(id) {
  const part = document.getElementById(id);
  part.hidden = false;
  if (document.activeElement === document.body) part.focus(); // nobody is called away from where they are
}

function show(shell, asked) {
  if (open) close(); // of an earlier step, with its clock
  const { frame: address, origin, name, title } = shell.dataset;
  const url = new URL(address);
  const zone = document.getElementById("zone-name")?.value;
  for (const [key, value] of new URLSearchParams(asked)) url.searchParams.set(key, value);
  url.searchParams.set("theme", theme());
  if (zone) url.searchParams.set("cal.tz", zone);
  const frame = document.createElement("iframe");
  shell.ariaBusy = "true"; // from here on its place is as high as the frame needs
  const height = shell.clientHeight;
  Object.assign(frame, { title, name: `cal-embed=${name}`, allow: "payment", className: "embed-frame", height, src: url.href });
  open = { shell, frame, origin, name, height, timer: setTimeout(outOfTime, PATIENCE) };
  frame.addEventListener("load", () => { if (open) open.isLoaded = true; });
  tell("The calendar is coming.");
  shell.append(frame);
  frame.focus();
}

function close() {
  clearTimeout(open.timer);
  open.shell.ariaBusy = null;
  open.frame.remove();
  open = undefined;
}

// Of a page that its own site keeps out of frames one learns only this: it is there, and silent.
function outOfTime() {
  fail(open.isLoaded && !open.isHeard ? "refused" : "timeout");
}

function fail(reason) {
  if (!open) return;
  const { shell } = open;
  if (!shell.isConnected) return close();
  report("booker_failed", reason);
  close();
  shell.dataset.failed = reason;
  reveal("embed-trouble");
  tell("The calendar did not open.");
}

// The frame shows another of its pages: as after a link, its top is in view at once.
function bringIntoView() {
  if (open.frame.getBoundingClientRect().top < 0) open.shell.scrollIntoView({ behavior: "instant" });
}

// What the frame may say. Everything is checked: it is another site's word.
const heard = {
  __iframeReady() {
    if (open.isHeard) bringIntoView();
    open.isHeard = true;
    say("parentKnowsIframeReady");
    say("ui", { theme: theme() });
  },
  linkReady() {
    clearTimeout(open.timer);
    if (open.isReady) return;
    open.isReady = true;
    open.shell.ariaBusy = null;
    tell("The calendar is here.");
    report("booker_shown");
  },
  linkFailed() {
    fail("failed");
  },
  __dimensionChanged({ iframeHeight }) {
    if (isUpTo(TALLEST, iframeHeight)) open.frame.height = Math.max(open.height, Math.ceil(iframeHeight));
  },
  // Measured a moment ago: somebody may have scrolled since. The frame stays in view, or it would not even be drawn.
  __scrollByDistance({ distance }) {
    if (!isUpTo(TALLEST, distance)) return;
    const { top, bottom } = open.frame.getBoundingClientRect();
    scrollBy(0, Math.min(Math.max(distance, top - innerHeight / 2), bottom - innerHeight / 2));
  },
  __routeChanged: bringIntoView,
  bookingSuccessfulV2({ uid, startTime, paymentRequired }) {
    if (open.isBooked) return;
    open.isBooked = true;
    open.shell.dataset.booked = "";
    report("booked");
    const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
    const said = new URLSearchParams({ uid, start: startTime ?? "", zone: zone ?? "" });
    if (typeof uid === "string") navigator.sendBeacon(open.shell.dataset.news, said);
    // Our page says what Cal.com told our server. Who has to pay does that in the frame, which therefore stays.
    if (paymentRequired === true) {
      reveal("embed-pay");
      open.shell.scrollIntoView({ behavior: "instant" });
      tell("Almost there: your time waits for the payment.");
      document.getElementById("embed-news").dispatchEvent(new Event("told")); // htmx looks from then on
    } else location.assign(open.shell.dataset.receipt);
  },
};

addEventListener("message", ({ data: said, origin, source }) => {
  if (!open || origin !== open.origin || source !== open.frame.contentWindow || !source) return;
  if (said?.originator !== "CAL" || said.namespace !== open.name || !Object.hasOwn(heard, said.type)) return;
  heard[said.type](Object(said.data));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#embed [data-opens]");
  const shell = link?.closest("#embed");
  if (!link || shell.dataset.failed || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  show(shell, link.dataset.opens);
});

document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective === "frame-src") fail("blocked");
});

dark.addEventListener("change", tellTheme);
new MutationObserver(tellTheme).observe(root, { attributeFilter: ["data-theme"] });
