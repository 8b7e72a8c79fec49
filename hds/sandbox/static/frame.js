// Cal.com's side of the messages between its page in a frame and the page around it.
const { name: namespace, manner, failed, booked, eventId, eventSlug } = document.body.dataset;
const named = document.getElementById(location.hash.slice(1));
let isKnown = false;

function tell(type, data = {}) {
  parent.postMessage({ originator: "CAL", type, namespace, fullType: `CAL:${namespace}:${type}`, data }, "*");
}

function appear() {
  if (isKnown || manner === "never_ready") return;
  isKnown = true;
  document.body.classList.add("known");
  if (failed) {
    tell("linkFailed", { code: failed, msg: "Problem loading the link", data: { url: location.href } });
    return;
  }
  let isFirstTime = true;
  new ResizeObserver(() => {
    tell("__dimensionChanged", { iframeHeight: document.body.offsetHeight, iframeWidth: document.body.offsetWidth, isFirstTime });
    // What the address names, as the times of a day, lies further down: only the page around can scroll there.
    if (isFirstTime && named) tell("__scrollByDistance", { distance: named.getBoundingClientRect().top + scrollY });
    isFirstTime = false;
  }).observe(document.body);
  tell("linkReady");
  if (eventSlug) tell("bookerReady", { eventId: Number(eventId), eventSlug });
  if (booked) tell("bookingSuccessfulV2", JSON.parse(booked));
}

addEventListener("message", ({ data, source }) => {
  if (source !== parent || data?.originator !== "CAL") return;
  if (data.method === "parentKnowsIframeReady") appear();
  if (data.method === "ui" && data.arg?.theme) document.documentElement.dataset.theme = data.arg.theme;
});

tell("__iframeReady", { isPrerendering: false });
