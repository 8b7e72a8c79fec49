// The switch between light and dark, at once. The cookie is the server's: without this script the page comes anew.
document.addEventListener("htmx:after:request", ({ target, detail: { ctx } }) => {
  const form = target.closest?.("form.theme");
  const chosen = ctx.request.submitter?.value ?? ctx.request.body?.get?.("theme");
  if (!form || !chosen || !ctx.response?.raw?.ok) return;
  const root = document.documentElement;
  if (chosen === "system") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  for (const button of form.elements.theme) button.setAttribute("aria-pressed", String(button.value === chosen));
});
