// A client of the Model Context Protocol that is told nothing but the server's address and its own id: it discovers where
// to sign in, signs in, and calls a tool. Prints what came of it as JSON.
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [server, clientId, tool, tokenOfAnother] = process.argv.slice(2);
const callback = "http://127.0.0.1:3000/callback";
const seen = { authorization: null, redirect: null };
let tokens = tokenOfAnother ? { access_token: tokenOfAnother, token_type: "Bearer" } : undefined;
let verifier;

const provider = {
  redirectUrl: callback,
  clientMetadata: { client_name: "test", redirect_uris: [callback] },
  clientInformation: () => ({ client_id: clientId }),
  tokens: () => tokens,
  saveTokens: (issued) => { tokens = issued; },
  saveCodeVerifier: (value) => { verifier = value; },
  codeVerifier: () => verifier,
  redirectToAuthorization: (address) => { seen.authorization = address.href; },
};

const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(server), { authProvider: provider });
  const client = new Client({ name: "test", version: "1" });
  try {
    await client.connect(transport);
    return { client };
  } catch (error) {
    return { error, transport };
  }
};

let { client, error, transport } = await connect();
if (error instanceof UnauthorizedError && !tokenOfAnother) {
  // The browser: it follows the address to the sign-in, which sends it back with a code.
  const answer = await fetch(seen.authorization, { redirect: "manual" });
  const back = new URL(answer.headers.get("location"));
  await transport.finishAuth(back.searchParams.get("code"));
  ({ client, error } = await connect());
}
if (error) {
  console.log(JSON.stringify({ unauthorized: error instanceof UnauthorizedError, error: String(error), ...seen }));
} else {
  const tools = (await client.listTools()).tools.map(({ name }) => name);
  const called = await client.callTool({ name: tool, arguments: tool === "cancel_order" ? { number: 7 } : {} });
  await client.close();
  console.log(JSON.stringify({ tools, failed: Boolean(called.isError), text: called.content[0].text, ...seen }));
}
