// Calls a gateway by both Node SDKs, and prints what they make of its answers, as JSON.
// Arguments: the gateway's address, an API key, the model.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [url, key, model] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const claude = new Anthropic({ baseURL: url, authToken: key, apiKey: null, maxRetries: 0 });
const messages = [{ role: "user", content: "Say hello" }];
const schema = { type: "object", properties: { word: { type: "string" } } };
const results = {};

const chat = await openai.chat.completions.create({ model, messages });
results.chat = { said: chat.choices[0].message.content, tokens: chat.usage.total_tokens };

const chunks = await openai.chat.completions.create({
  model,
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
results.chatStream = { said: "", tokens: 0 };
for await (const chunk of chunks) {
  results.chatStream.said += chunk.choices[0]?.delta.content ?? "";
  results.chatStream.tokens = chunk.usage?.total_tokens ?? results.chatStream.tokens;
}

const asking = openai.chat.completions.stream({
  model,
  messages,
  tools: [{ type: "function", function: { name: "look_up", parameters: schema } }],
});
const [call] = (await asking.finalMessage()).tool_calls;
results.chatTool = { name: call.function.name, arguments: JSON.parse(call.function.arguments) };

results.response = { said: (await openai.responses.create({ model, input: "Say hello" })).output_text };
const response = await openai.responses.stream({ model, input: "Say hello" }).finalResponse();
results.responseStream = { said: response.output_text, tokens: response.usage.total_tokens };

const vectors = await openai.embeddings.create({ model, input: "A text", encoding_format: "float" });
results.embedding = vectors.data[0].embedding;
results.models = (await openai.models.list()).data.map((listed) => listed.id).includes(model);
results.openaiError = await openai.chat.completions.create({ model: "none", messages }).catch(
  (error) => ({ kind: error.constructor.name, code: error.code, status: error.status }),
);

const tools = [{ name: "look_up", input_schema: schema }];
const message = await claude.messages.create({ model, messages, tools, max_tokens: 100 });
results.message = {
  kinds: message.content.map((block) => block.type),
  cached: message.usage.cache_read_input_tokens,
};
const streamed = await claude.messages
  .stream({ model, messages, tools, max_tokens: 100 })
  .finalMessage();
const used = streamed.content.find((block) => block.type === "tool_use");
results.messageStream = { said: streamed.content[1].text, input: used.input, end: streamed.stop_reason };
results.count = (await claude.messages.countTokens({ model, messages })).input_tokens > 0;
results.claudeModels = (await claude.models.list()).data.map((listed) => listed.id).includes(model);
results.claudeError = await claude.messages
  .create({ model: "none", messages, max_tokens: 5 })
  .catch((error) => ({ kind: error.constructor.name, type: error.error.error.type, status: error.status }));

console.log(JSON.stringify(results));
