// The place of the switch of modes is kept free for who had it at the last visit: it comes once it
// is known who is signed in, and the links below would move from under the pointer.
import { useEffect } from "react";

const NAME = "fb-operates";

export function ModesPlace({ identified, operates }) {
  useEffect(() => {
    if (!identified) {
      return;
    }
    const { dataset } = document.documentElement;
    try {
      if (operates) {
        dataset.operates = "";
        localStorage.setItem(NAME, "1");
      } else {
        delete dataset.operates;
        localStorage.removeItem(NAME);
      }
    } catch {
      // Storage is forbidden: the place is not kept
    }
  }, [identified, operates]);
  return null;
}
