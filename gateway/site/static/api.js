// Swagger UI shows the contract. Its choices have no labels and its examples cannot be scrolled by keyboard: both are mended
// here, whenever it draws something. Its deep links would be links inside buttons.
const shown = document.getElementById("swagger-ui");

function mend() {
  for (const choice of shown.querySelectorAll("select:not([aria-label])")) {
    choice.setAttribute("aria-label", choice.id === "servers" ? "Server" : "Choice");
  }
  for (const code of shown.querySelectorAll("pre:not([tabindex])")) code.tabIndex = 0;
}

new MutationObserver(mend).observe(shown, {childList: true, subtree: true});
SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: false, validatorUrl: null});
