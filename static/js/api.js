// Asking the product's own API from its pages.

/** A refusal or failure, in the words of the server. */
export class Problem extends Error {
  constructor(status, detail, hint = "") {
    super(hint ? `${detail} ${hint}` : detail);
    this.status = status;
  }
}

function oneTimeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Call the API; the answer's JSON. Throws Problem, also when nobody answers. */
export async function api(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = document.querySelector("[name=csrfmiddlewaretoken]").value;
    headers["Idempotency-Key"] = oneTimeKey();
    if (body !== undefined) headers["Content-Type"] = "application/json";
  }
  const request = { method, headers, signal: AbortSignal.timeout(15000) };
  if (body !== undefined) request.body = JSON.stringify(body);
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, request);
  } catch {
    throw new Problem(0, "The server did not answer.", "Try again in a moment.");
  }
  const said = await response.json().catch(() => ({}));
  if (response.ok) return said;
  if (response.status === 401) {
    throw new Problem(401, "You are signed out.", "Sign in again to go on.");
  }
  const detail = said.detail ?? `The server answered ${response.status}.`;
  throw new Problem(response.status, detail, said.hint);
}
