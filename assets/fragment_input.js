// A form's button that sends what the address has after the "#".
import { createElement, Fragment, useEffect, useState } from "react";
import { Button, Callout } from "@radix-ui/themes";

export function FragmentInput({ name, missing, action }) {
  const [secret, setSecret] = useState(undefined);
  useEffect(() => {
    const { pathname, search, hash } = window.location;
    setSecret(hash.slice(1));
    // Not in the history either
    window.history.replaceState(window.history.state, "", pathname + search);
  }, []);
  if (secret === "") {
    return createElement(
      Callout.Root,
      { color: "orange", size: "1", role: "alert" },
      createElement(Callout.Text, null, missing),
    );
  }
  return createElement(
    Fragment,
    null,
    createElement("input", { type: "hidden", name, value: secret ?? "", readOnly: true }),
    createElement(
      Button,
      { type: "submit", size: "3", disabled: secret === undefined, style: { width: "100%" } },
      action,
    ),
  );
}
