"""The playground's request in Go and in Java, each with what the language brings alone."""

from __future__ import annotations

import json

from portal.features.playground.code.samples import KEY_VARIABLE, ChatRequest

_JAVA_INDENT = " " * 6


def go(request: ChatRequest) -> str:
    """The request in Go 1.20 or newer, without a module."""
    body = json.dumps({**request.body, "stream": True}, indent=2, ensure_ascii=False)
    # Neither can stand in a raw string of Go's; both stand in strings of JSON's alone
    raw = body.replace("`", "\\u0060").replace("\ufeff", "\\ufeff")
    return f"""{request.comment("//")}package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
)

const body = `{raw}`

type chunk struct {{
	Choices []struct {{
		Delta struct {{
			Content string `json:"content"`
		}} `json:"delta"`
	}} `json:"choices"`
}}

func main() {{
	url := {_text(request.base_url + "/v1/chat/completions")}
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {{
		log.Fatal(err)
	}}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("{KEY_VARIABLE}"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {{
		log.Fatal(err)
	}}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {{
		problem, _ := io.ReadAll(response.Body)
		log.Fatalf("%s: %s", response.Status, problem)
	}}

	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {{
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData || data == "[DONE]" {{
			continue
		}}
		var part chunk
		if err := json.Unmarshal([]byte(data), &part); err != nil {{
			log.Fatal(err)
		}}
		if len(part.Choices) > 0 {{
			fmt.Print(part.Choices[0].Delta.Content)
		}}
	}}
	if err := lines.Err(); err != nil {{
		log.Fatal(err)
	}}
	fmt.Println()
}}
"""


def java(request: ChatRequest) -> str:
    """The request in Java 17 or newer, without a package: it prints each part as JSON."""
    # In ASCII: older ones read a file in whatever encoding the system has
    body = json.dumps({**request.body, "stream": True}, indent=2)
    block = body.replace("\\", "\\\\").replace('"""', '\\"""')
    written = block.replace("\n", "\n" + _JAVA_INDENT)
    return f"""{request.comment("//")}import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.stream.Collectors;

public class Ask {{
  static final String BODY = \"\"\"
{_JAVA_INDENT}{written}
{_JAVA_INDENT}\"\"\";

  public static void main(String[] arguments) throws Exception {{
    var url = URI.create({_text(request.base_url + "/v1/chat/completions")});
    var request =
        HttpRequest.newBuilder(url)
            .header("Authorization", "Bearer " + System.getenv("{KEY_VARIABLE}"))
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(BODY))
            .build();
    var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    var response = client.send(request, HttpResponse.BodyHandlers.ofLines());
    if (response.statusCode() != 200) {{
      throw new IllegalStateException(response.body().collect(Collectors.joining("\\n")));
    }}
    // Each is JSON, with the text in choices[0].delta.content
    response
        .body()
        .filter(line -> line.startsWith("data: {{"))
        .forEach(line -> System.out.println(line.substring("data: ".length())));
  }}
}}
"""


def _text(text: str) -> str:
    return json.dumps(text)
