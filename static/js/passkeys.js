// A form that goes with what a passkey says: made ("new") or used ("use").

const OLD = "This browser knows no passkeys. Use a current one, or a code instead.";
const INSECURE = "Passkeys need https, or a panel on this very machine.";

async function question(form) {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const response = await fetch(form.dataset.options, {
    method: "POST",
    headers: { Accept: "application/json", "X-CSRFToken": token },
    signal: AbortSignal.timeout(15000),
  });
  const kind = response.headers.get("Content-Type") ?? "";
  if (!response.ok || !kind.startsWith("application/json")) {
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const said = page.querySelector("h1 + p")?.textContent;
    throw new Error(said ?? "The server did not answer. Load the page again.");
  }
  return response.json();
}

async function answer(form) {
  if (!window.isSecureContext) throw new Error(INSECURE);
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) throw new Error(OLD);
  const asked = await question(form);
  if (form.dataset.passkey === "new") {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(asked);
    return navigator.credentials.create({ publicKey });
  }
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(asked);
  return navigator.credentials.get({ publicKey });
}

function words(error) {
  if (error.name === "NotAllowedError") return "The passkey was not used. Try again.";
  if (error.name === "InvalidStateError") return "This passkey is added already.";
  return error.message;
}

async function send(form) {
  const button = form.querySelector("button");
  const said = form.querySelector("[data-said]");
  said.hidden = true;
  button.disabled = true;
  try {
    const credential = await answer(form);
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch (error) {
    said.textContent = words(error);
    said.hidden = false;
    button.disabled = false;
  }
}

export const passkeys = {
  start() {
    for (const form of document.querySelectorAll("[data-passkey]")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        send(form);
      });
    }
  },
};

passkeys.start();
