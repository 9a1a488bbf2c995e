// Asks about tokens with openid-client's tokenIntrospection. Prints for each token what it got, or the error, as JSON.
import { readFileSync } from "node:fs";
import * as client from "openid-client";

const { server, id, secret, method, tokens, algorithm } = JSON.parse(readFileSync(0, "utf8"));
const authentication = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost };
const metadata = algorithm ? { introspection_signed_response_alg: algorithm } : {};
const config = new client.Configuration(server, id, metadata, authentication[method](secret));
client.allowInsecureRequests(config);
if (algorithm) client.enableNonRepudiationChecks(config); // it verifies signatures, not only the transport
const results = [];
for (const token of tokens) {
  try {
    results.push(await client.tokenIntrospection(config, token, { token_type_hint: "access_token" }));
  } catch (error) {
    results.push({ refused: error.status, code: error.code, challenges: error.cause?.map?.(({ scheme }) => scheme) });
  }
}
console.log(JSON.stringify(results));
