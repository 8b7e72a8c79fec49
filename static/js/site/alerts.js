// When no answer came at all (offline, too slow, cut off) there is nothing that htmx could swap: say so in words.
const words = {
  timeout: "That took too long. Check your connection and try again.",
  offline: "You seem to be offline. Try again when you are connected.",
  other: "That did not work. Try again, or reload the page.",
};

document.addEventListener("htmx:error", (event) => {
  const { ctx, error } = event.detail;
  const reason = String(error?.message ?? error ?? "");
  if (!ctx) return; // a fault of the page, not of a request
  const alert = document.createElement("p");
  alert.className = "alert";
  alert.textContent = !navigator.onLine ? words.offline : /time/i.test(reason) ? words.timeout : words.other;
  document.getElementById("alerts")?.replaceChildren(alert);
});

document.addEventListener("htmx:before:request", () => document.getElementById("alerts")?.replaceChildren());
