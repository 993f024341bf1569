// Stands in for node-cron in the guide's code: a schedule runs when the test says that its hour has come.
export const jobs = [];

export default {
  schedule(expression, job) {
    jobs.push({ expression, job });
  },
};
