// SPDX-License-Identifier: Apache-2.0
// A shop: GET /order/ITEM asks the service at PRICES for the price. It knows nothing of telemetry.
const http = require("node:http");

const shop = http.createServer((request, response) => {
  const item = request.url.split("/").pop();
  http.get(`${process.env.PRICES}/price/${item}`, (price) => {
    response.writeHead(price.statusCode, { "Content-Type": "application/json" });
    price.pipe(response);
  });
});
shop.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${shop.address().port}`));
process.on("SIGTERM", () => {
  shop.close();
  shop.closeAllConnections();
});
