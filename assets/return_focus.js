// In a dialog that no trigger opens: gives the focus back to what had it before, as others do.
import { useLayoutEffect } from "react";

export function ReturnFocus() {
  useLayoutEffect(() => {
    const before = document.activeElement;
    // Once the dialog has let go of the focus
    return () => setTimeout(() => before?.isConnected && before.focus(), 0);
  }, []);
  return null;
}
