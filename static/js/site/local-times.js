// A page that everybody gets alike names its free times in the owner's zone: here they become the visitor's.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

for (const list of document.querySelectorAll(".next-times")) {
  if (!zone || zone === list.dataset.zone) continue;
  for (const link of list.querySelectorAll("a:has(time)")) {
    const time = link.querySelector("time");
    const say = (parts) => new Date(time.dateTime).toLocaleString("en-GB", { ...parts, timeZone: zone }).replace(",", "");
    const [day, clock] = time.children;
    day.textContent = say({ weekday: "long", day: "numeric", month: "long" });
    clock.textContent = say({ hour: "2-digit", minute: "2-digit" });
    const url = new URL(link.href);
    url.searchParams.set("zone", zone);
    link.href = url;
  }
  list.querySelector(".next-times-zone span").textContent = zone.split("/").pop().replaceAll("_", " ");
}
