// GraphiQL against our own endpoint: signed in by cookie, nothing fetched from other hosts.
import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./page.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createElement as element } from "react";
import { createRoot } from "react-dom/client";
import { examples } from "./examples.js";

const fetcher = createGraphiQLFetcher({
  url: "/graphql",
  headers: { Accept: "application/graphql-response+json", "X-Kontora-CSRF": "1" },
  wsClient: createClient({ url: location.origin.replace("http", "ws") + "/graphql" }),
});

const answer = await fetch("/graphql", {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Kontora-CSRF": "1" },
  body: JSON.stringify({ query: "{ viewer { email permissions } }" }),
});
const { viewer } = (await answer.json()).data;

const logo = element(
  GraphiQL.Logo,
  null,
  element(
    "form",
    { method: "post", action: "/sign-out", className: "sign-out" },
    element("a", { href: "/" }, "Kontora"),
    element("span", null, viewer.email),
    element("button", { type: "submit" }, "Sign out"),
  ),
);

// What somebody may not ask for is not in their schema, so an example of it would only be red.
const permitted = examples.filter(({ needs }) => needs.every((permission) => viewer.permissions.includes(permission)));

createRoot(document.getElementById("graphiql")).render(
  element(
    GraphiQL,
    {
      fetcher,
      defaultTabs: permitted.map(({ query, variables, headers }) => ({ query, variables, headers })),
      shouldPersistHeaders: false,
    },
    logo,
  ),
);
