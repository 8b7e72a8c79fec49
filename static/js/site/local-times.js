// A page that everybody gets alike names its free times in the owner's zone and by 24 hours: here they become the
// visitor's, by twelve hours where those are read.
const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
const { hour12 } = new Intl.DateTimeFormat(navigator.language, { hour: "numeric" }).resolvedOptions();

for (const list of document.querySelectorAll(".next-times")) {
  const isHere = !zone || zone === list.dataset.zone;
  if (isHere && !hour12) continue;
  const timeZone = zone || list.dataset.zone;
  for (const link of list.querySelectorAll("a:has(time)")) {
    const time = link.querySelector("time");
    const say = (parts) => new Date(time.dateTime).toLocaleString("en-GB", { ...parts, timeZone }).replace(",", "");
    const [day, clock] = time.children;
    day.textContent = say({ weekday: "long", day: "numeric", month: "long" });
    clock.textContent = say({ hour: hour12 ? "numeric" : "2-digit", minute: "2-digit", hourCycle: hour12 ? "h12" : "h23" });
    const url = new URL(link.href);
    url.searchParams.set("zone", timeZone);
    link.href = url;
  }
  list.querySelector(".next-times-zone span").textContent = timeZone.split("/").pop().replaceAll("_", " ");
}
