"use strict";

const show = (id, state, text) => {
  const row = document.getElementById(id);
  row.querySelector(".dot").className = `dot ${state}`;
  row.querySelector("b").textContent = text;
};

const get = async (path) => {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(4000) });
  // Without the trading API behind it, the load balancer sends its paths here.
  if (!(answer.headers.get("content-type") || "").includes("json")) throw new Error("not deployed");
  return answer;
};

const check = async (id, path, judge) => {
  try {
    const begin = performance.now();
    const answer = await get(path);
    const took = `${(performance.now() - begin).toFixed(0)} ms`;
    const [state, text] = judge(answer, await answer.json(), took);
    show(id, state, `${answer.status} · ${text}`);
  } catch (problem) {
    show(id, "down", problem.message === "not deployed" ? "not deployed" : "no answer");
  }
};

const look = () => {
  check("health", "health", (answer, body) => [answer.ok ? "up" : "down", body.status]);
  check("ready", "api/trading/ready", (answer, body) =>
    [!answer.ok ? "down" : body.status === "ready" ? "up" : "warn", body.status]);
  check("hot", "api/trading/instruments/SOL-USD", (answer, body, took) => answer.ok
    ? ["up", `cache ${answer.headers.get("x-cache")} · ${took}`]
    : ["down", body.error.code]);
};

document.getElementById("host").textContent = location.host;
look();
setInterval(look, 5000);
