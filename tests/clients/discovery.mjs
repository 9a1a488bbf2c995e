// Discovers with oauth4webapi, which compares what RFC 8414 section 3.3 and RFC 9728 section 3.3 say: what a resource says of itself, then what its
// authorization server says of itself. Prints both documents, or the reason against one, as JSON.
import { readFileSync } from "node:fs";
import * as oauth from "oauth4webapi";

const { resource } = JSON.parse(readFileSync(0, "utf8"));
const local = { [oauth.allowInsecureRequests]: true };
const found = {};
try {
  const asked = await oauth.resourceDiscoveryRequest(new URL(resource), local);
  found.resource = await oauth.processResourceDiscoveryResponse(new URL(resource), asked);
  const issuer = new URL(found.resource.authorization_servers[0]);
  const answered = await oauth.discoveryRequest(issuer, { ...local, algorithm: "oidc" });
  found.server = await oauth.processDiscoveryResponse(issuer, answered);
} catch (error) {
  found.refused = error.message;
}
console.log(JSON.stringify(found));
