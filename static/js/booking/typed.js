// What somebody typed into the form of a time waits in this tab while they look at other times, or reload: until it is
// booked or moved, an hour at most. No address and no server is told.
const KEPT = 3_600_000; // ms
const NEVER = new Set(["start", "code", "another_code", "company_fax"]);
const isChoice = ({ type }) => type === "radio" || type === "checkbox";
const keyOf = (form) => `typed ${new URL(form.action).pathname}`;
const typedIn = (form) => [...form.elements].filter((field) =>
  field.name && !NEVER.has(field.name) && !field.readOnly && !["hidden", "submit", "fieldset"].includes(field.type));
let memory; // a browser that keeps nothing refuses even to be asked
try { memory = sessionStorage; } catch { memory = undefined; }

function keep({ target }) {
  const form = target.form;
  if (!memory || !form?.matches("[data-keeps]")) return;
  const typed = typedIn(form).map((field) => [field.name, field.value, isChoice(field) && field.checked]);
  memory.setItem(keyOf(form), JSON.stringify({ at: Date.now(), typed }));
}

function bringBack() {
  const form = document.querySelector("form[data-keeps]");
  if (!form) return forgetOnceBooked();
  const { at, typed } = JSON.parse(memory?.getItem(keyOf(form)) ?? "{}");
  if (!(Date.now() - at < KEPT)) return;
  for (const field of typedIn(form)) {
    const kept = typed.find(([name, value]) => name === field.name && (!isChoice(field) || value === field.value));
    if (!kept) continue;
    if (isChoice(field)) field.checked = kept[2];
    else if (!field.options || [...field.options].some(({ value }) => value === kept[1])) field.value = kept[1];
    const fold = field.closest("details");
    if (fold && field.value) fold.open = true;
  }
}

function forgetOnceBooked() {
  if (!memory || !/\/done\/|^\/bookings\/[^/]+$/.test(location.pathname)) return;
  for (const key of Object.keys(memory)) if (key.startsWith("typed ")) memory.removeItem(key);
}

document.addEventListener("input", keep);
document.addEventListener("htmx:after:swap", bringBack);
bringBack();
