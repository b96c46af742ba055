"""What MCP clients get from the tools: JSON, as text and as structured content."""

import json
from typing import Any


def answer_in_json(server: Any) -> None:
    """Let the tools of Gradio's MCP server answer with JSON. Each is an endpoint with one answer, a JSON object.

    Gradio would write it as Python does; and its own structured content is a list of such texts.
    """
    from mcp import types  # here, as it is installed only where it is wanted
    from pydantic_core import to_json

    handlers = server.mcp_server.request_handlers
    call = handlers[types.CallToolRequest]

    def as_text(answers: list[Any], root_url: str) -> list[types.TextContent]:
        return [
            types.TextContent(type="text", text=to_json(answer, inf_nan_mode="null").decode()) for answer in answers
        ]

    async def with_structure(request: types.CallToolRequest) -> types.ServerResult:
        result = (await call(request)).root
        if not result.isError:
            result.structuredContent = json.loads(result.content[0].text)
        return types.ServerResult(result)

    server.postprocess_output_data = as_text
    handlers[types.CallToolRequest] = with_structure
