"use strict";
// The key stays in this variable: it is in no storage, and gone with the page.
let key = "";

function start() {
  window.ui = SwaggerUIBundle({
    url: new URL("openapi.json", document.baseURI).href,
    dom_id: "#swagger-ui",
    deepLinking: true,
    displayRequestDuration: true,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (key && new URL(request.url, document.baseURI).origin === location.origin) {
        request.headers.Authorization = `Bearer ${key}`;
      }
      return request;
    },
  });
}

const form = document.getElementById("key");
if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    key = form.elements.key.value.trim();
    form.hidden = true;
    start();
  });
} else {
  start();
}
