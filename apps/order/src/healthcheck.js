// Exit 0 if the service on this machine says that it lives. For the container's HEALTHCHECK.
const port = process.env.PORT || '8080';
const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) }).catch((error) => {
  process.stderr.write(`no answer: ${error.cause?.message ?? error.message}\n`);
  process.exit(1);
});
if (answer.status !== 200) {
  process.stderr.write(`unexpected answer: ${answer.status}\n`);
  process.exit(1);
}
