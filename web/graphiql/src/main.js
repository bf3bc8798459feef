// GraphiQL against our own endpoint: signed in by cookie, nothing fetched from other hosts.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createElement as element } from "react";
import { createRoot } from "react-dom/client";
import { examples } from "./examples.js";

const fetcher = createGraphiQLFetcher({
  url: "/graphql",
  headers: { Accept: "application/graphql-response+json", "X-Kontora-CSRF": "1" },
});

const logo = element(
  GraphiQL.Logo,
  null,
  element(
    "form",
    { method: "post", action: "/sign-out", className: "sign-out" },
    element("strong", null, "Kontora"),
    element("button", { type: "submit" }, "Sign out"),
  ),
);

createRoot(document.getElementById("graphiql")).render(
  element(GraphiQL, { fetcher, defaultTabs: examples, shouldPersistHeaders: false }, logo),
);
