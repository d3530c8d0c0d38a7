({token, events}) => new Promise((resolve, reject) => {
  // Socket.IO by hand: 40 connects to the namespace, 42 is an event, 2 is the server's ping
  const address = location.origin.replace("http", "ws");
  const socket = new WebSocket(`${address}/_event/?EIO=4&transport=websocket&token=${token}`);
  const said = [];
  const end = () => { socket.close(); resolve(said.join("\n")); };
  setTimeout(end, 15000);
  socket.onerror = () => reject(new Error("The websocket was refused."));
  socket.onclose = end;
  socket.onmessage = ({data}) => {
    said.push(data);
    if (data.startsWith("0")) socket.send("40/_event,");
    if (data.startsWith("40/_event")) {
      for (const event of events) socket.send(`42/_event,${JSON.stringify(["event", event])}`);
    }
    if (data.includes("is_hydrated")) end();
  };
})
