// Keeps the address in step with what a page shows, so that it can be reloaded and shared.
import { useEffect, useRef } from "react";

// Replaces the query and nothing else: no navigation, so the page neither loads nor scrolls anew.
// What stands in the address first is the visitor's, which the page has yet to read.
export function Address({ query }) {
  const shown = useRef(query);
  useEffect(() => {
    if (query === shown.current) {
      return;
    }
    shown.current = query;
    const { pathname, hash } = window.location;
    const search = query ? `?${query}` : "";
    window.history.replaceState(window.history.state, "", pathname + search + hash);
  }, [query]);
  return null;
}
