// Reads tokens from stdin, a JSON string a line; writes a verdict for each: "accepted", or the name of the error.
// The first line is the configuration.
import { createInterface } from "node:readline";
import { CognitoJwtVerifier } from "aws-jwt-verify";

let verifier;
const verdicts = [];
for await (const line of createInterface({ input: process.stdin })) {
  const value = JSON.parse(line);
  if (verifier === undefined) {
    verifier = CognitoJwtVerifier.create({ userPoolId: value.userPoolId, tokenUse: "access", clientId: value.clientId });
    verifier.cacheJwks(value.jwks);
    continue;
  }
  try {
    verifier.verifySync(value);
    verdicts.push("accepted");
  } catch (error) {
    verdicts.push(error.constructor.name);
  }
}
process.stdout.write(verdicts.join("\n") + "\n");
