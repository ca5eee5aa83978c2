// The smallest Probot app: it hears of opened issues and, if LABEL is set,
// puts that label on. Its requests are not paced; by default Probot sends one
// write a second for the whole process.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createNodeMiddleware, Probot, ProbotOctokit } from "probot";

const { API, KEY_FILE, LABEL, PORT, SECRET } = process.env;

class Unpaced extends ProbotOctokit {
  constructor(options) {
    super({ ...options, throttle: { ...options?.throttle, enabled: false } });
  }
}

const probot = new Probot({
  appId: 4711,
  privateKey: readFileSync(KEY_FILE, "utf8"),
  secret: SECRET,
  baseUrl: API,
  logLevel: "fatal",
  Octokit: Unpaced,
});

const app = (robot) => {
  robot.on("issues.opened", async (context) => {
    if (LABEL) {
      await context.octokit.rest.issues.addLabels(context.issue({ labels: [LABEL] }));
    }
  });
};

const webhooks = await createNodeMiddleware(app, { probot, webhooksPath: "/webhooks/github" });
createServer((request, response) => {
  if (request.url === "/readyz") {
    response.end("ready");
    return;
  }
  webhooks(request, response, () => response.writeHead(404).end());
}).listen(Number(PORT), "127.0.0.1");
