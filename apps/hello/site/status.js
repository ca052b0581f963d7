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

const ready = async () => {
  try {
    const answer = await get("api/trading/ready");
    const body = await answer.json();
    const state = !answer.ok ? "down" : body.status === "ready" ? "up" : "warn";
    show("ready", state, `${answer.status} · ${body.status}`);
  } catch (problem) {
    show("ready", "down", problem.message === "not deployed" ? "not deployed" : "no answer");
  }
};

const hot = async () => {
  try {
    const begin = performance.now();
    const answer = await get("api/trading/instruments/SOL-USD");
    const took = (performance.now() - begin).toFixed(0);
    const cache = answer.headers.get("x-cache");
    show("hot", answer.ok ? "up" : "down",
      answer.ok ? `${answer.status} · cache ${cache} · ${took} ms` : `${answer.status}`);
  } catch (problem) {
    show("hot", "down", problem.message === "not deployed" ? "not deployed" : "no answer");
  }
};

document.getElementById("host").textContent = location.host;
const look = () => { ready(); hot(); };
look();
setInterval(look, 5000);
