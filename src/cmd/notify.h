/* SPDX-License-Identifier: Apache-2.0 */
/* Word to the service manager that started us (sd_notify(3)), without its library. */
#ifndef TK_CMD_NOTIFY_H
#define TK_CMD_NOTIFY_H

/* Send a state such as "READY=1" to $NOTIFY_SOCKET. Without one, or when nobody listens there,
 * nothing happens: the state is a courtesy. */
void tk_notify(const char *state);

#endif
