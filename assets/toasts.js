// What was just done, said for a moment at the corner; the region that holds it is read out.
import { useEffect } from "react";
import { toast } from "sonner";

const LAST = "fb-toast";

// `stamp` is another for each toast. The last is kept for the tab: a page that is loaded anew gets
// the state of before, and has nothing new to say
export function Toasts({ stamp, text }) {
  useEffect(() => {
    if (stamp && text && sessionStorage.getItem(LAST) !== stamp) {
      sessionStorage.setItem(LAST, stamp);
      toast.success(text);
    }
  }, [stamp, text]);
  return null;
}
