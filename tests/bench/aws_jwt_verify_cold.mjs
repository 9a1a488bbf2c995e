// From the first line to the first token verified: milliseconds, milliseconds of processor time, and the most memory in MB.
const [begin, used] = [process.hrtime.bigint(), process.cpuUsage()];
const { CognitoJwtVerifier } = await import("aws-jwt-verify");
const [loaded, loadedUsed] = [process.hrtime.bigint(), process.cpuUsage()];
const { readFileSync } = await import("node:fs");
const { userPoolId, clientId, jwks, tokens } = JSON.parse(readFileSync(0, "utf8"));
const [ready, readyUsed] = [process.hrtime.bigint(), process.cpuUsage()];
const verifier = CognitoJwtVerifier.create({ userPoolId, tokenUse: "access", clientId });
verifier.cacheJwks(jwks);
verifier.verifySync(tokens[0]);
const [end, endUsed] = [process.hrtime.bigint(), process.cpuUsage()];
const spent = (to, from) => (to.user + to.system - from.user - from.system) / 1000;
const wall = Number(loaded - begin + (end - ready)) / 1e6;
const peak = readFileSync("/proc/self/status", "utf8").match(/VmHWM:\s+(\d+)/)[1] / 1024;
process.stdout.write(JSON.stringify([wall, spent(loadedUsed, used) + spent(endUsed, readyUsed), peak]));
